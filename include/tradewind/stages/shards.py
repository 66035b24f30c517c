"""What the shards of `extract` left for `prepare`: all of them, made from the documents as they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.extraction.documents import digest
from tradewind.files import sha256_of
from tradewind.results import Artifact, StageResult
from tradewind.run_dir import RunDir
from tradewind.shard import Shard
from tradewind.sources.location import locate_documents

_FOLDER = re.compile(r"extract(?:-(\d+)-of-(\d+))?")
_DECIDES = (
    "model", "passage_tokens", "overlap_tokens", "max_pairs", "wordings", "summarise", "temperature", "grounding",
)  # fmt: skip
"""Settings that decide which pairs are drawn; others, such as the budget, may be changed between two tries."""


def extracted(config: RunConfig, run_dir: RunDir, hash_of: Callable[[Path], str] = sha256_of) -> dict[str, Artifact]:
    """The pairs drawn from running text, by `extract/<shard's folder>/<file>`; none where the recipe draws none.

    Of divisions into different numbers of shards the one that a shard was last made of counts. What stands in for a
    skipped extraction may be of earlier texts; it must be of the same settings.

    Args:
        hash_of: reads a text, or knows its hash.

    Raises:
        UserError: a shard is missing, or was made with other settings or from other documents; or no
            passage of any has an answer.
    """
    if config.extract is None:
        return {}
    documents = digest(locate_documents(config.data_dir), hash_of)
    division = division_of(run_dir)
    folders = [shard.folder("extract") for shard in division]
    for shard, folder in zip(division, folders, strict=True):
        path = run_dir.result_file(folder)
        if shard.count > 1 and not path.is_file():
            command = f"tradewind extract --shard {shard} --run-dir {run_dir.path}"
            raise UserError(f"{path}: no such file; run first: {command}")
    results = {folder: run_dir.result(folder) for folder in folders}
    _check_answered([result.metrics for result in results.values()])
    found: dict[str, Artifact] = {}
    for folder, result in results.items():
        path = run_dir.result_file(folder)
        _check(result, config, documents, path)
        if result.metrics.get("cut") != results[folders[0]].metrics.get("cut"):
            raise UserError(f"{path}: its passages were cut otherwise than those of {folders[0]}; run it again")
        found |= {f"extract/{folder}/{name}": artifact for name, artifact in result.outputs.items()}
    return found


def _check_answered(counts: list[dict[str, Any]]) -> None:
    """A shard alone may hold a single passage, which a model may refuse; not so all of them."""
    passages, answered = (sum(count.get(name, 0) for count in counts) for name in ("passages", "answered"))
    if len(counts) > 1 and passages and not answered:
        raise UserError(
            f"extract: none of {passages} passages got a usable answer; rejected.jsonl of the shards says why; "
            "mend that, then run the stage 'extract' again with extract.retry_failed: true"
        )


def division_of(run_dir: RunDir) -> list[Shard]:
    """Every shard of the division that was last at work, finished or not."""
    names = {path.name: _FOLDER.fullmatch(path.name) for path in run_dir.path.iterdir() if path.is_dir()}
    counts = {
        name: int(match[2] or 1) for name, match in names.items() if match and run_dir.result_file(name).is_file()
    }
    newest = max(counts, key=lambda name: run_dir.result(name).started_at, default="extract")
    count = counts.get(newest, 1)
    return [Shard(index, count) for index in range(1, count + 1)]


def _check(result: StageResult, config: RunConfig, documents: str, path: Path) -> None:
    if result.status != "skipped" and result.metrics.get("documents") != documents:
        raise UserError(f"{path}: the texts have changed since; run the stage 'extract' again")
    if result.config.get("data_dir") != config.data_dir:
        raise UserError(f"{path}: was made of other documents; run the stage 'extract' again")
    if name := other_setting(result, config):
        raise UserError(f"{path}: was made with another extract.{name}; run the stage 'extract' again")


def other_setting(result: StageResult, config: RunConfig) -> str | None:
    """The first setting of `extract` that decides which pairs are drawn and is not the result's; None: all are."""
    now: dict[str, Any] = config.model_dump(mode="json")["extract"] or {}
    made: dict[str, Any] = result.config.get("extract") or {}
    return next((name for name in _DECIDES if made.get(name) != now.get(name)), None)
