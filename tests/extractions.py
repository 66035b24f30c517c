"""The stage `extract` in the test's own process, against a server on loopback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from documents import rows
from llm_server import LlmServer
from tradewind.config import RunConfig
from tradewind.recipes import resolve
from tradewind.results import StageResult
from tradewind.run_dir import RunDir
from tradewind.shard import WHOLE, Shard
from tradewind.stages.stage_run import run_stage

PRICE = {"prompt": 1.0, "completion": 4.0}
"""The test server's own, for a million tokens."""


class Extraction:
    """One run's folder, documents and settings."""

    def __init__(self, folder: Path, documents: Path) -> None:
        self.run_dir = RunDir(folder)
        self.documents = documents

    def __call__(self, server: LlmServer, shard: Shard = WHOLE, **settings: Any) -> StageResult:
        """Run the stage; `settings` are those of the recipe's block `extract`."""
        return run_stage("extract", resolve_for(self.documents, server, **settings), self.run_dir, shard)

    def start(self, server: LlmServer, run_dir: Path, shard: Shard = WHOLE, **settings: Any) -> subprocess.Popen[bytes]:
        """The same in a process of its own, to be killed."""
        stated = _stated(server, settings).items()
        options = [part for name, value in stated for part in ("--set", f"extract.{name}={value}")]
        command = [sys.executable, "-m", "tradewind", "extract", "--recipe", "tiny"]
        command += ["--data", str(self.documents), "--run-dir", str(run_dir)]
        command += ["--shard", str(shard)]
        return subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)

    def pairs(self, shard: Shard = WHOLE) -> list[dict[str, Any]]:
        """The rows published, one a passage."""
        return rows(self.run_dir.published(shard.folder("extract")) / "pairs.jsonl")

    def rejected(self, shard: Shard = WHOLE) -> list[dict[str, Any]]:
        """What was left out."""
        return rows(self.run_dir.published(shard.folder("extract")) / "rejected.jsonl")


def resolve_for(documents: Path, server: LlmServer, **settings: Any) -> RunConfig:
    """The configuration of a run over these documents with this server."""
    dotted = {f"extract.{name}": value for name, value in _stated(server, settings).items()}
    return resolve("tiny", documents, overrides=dotted)


def _stated(server: LlmServer, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The block `extract`; its passages are short, so that there are many."""
    own = {"model": "m", "base_url": server.base_url, "price": PRICE, "passage_tokens": 96, "overlap_tokens": 0}
    own["patience"] = 1.0
    return {**own, **settings}
