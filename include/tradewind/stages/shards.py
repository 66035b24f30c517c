"""What the shards of `extract` left for `prepare`: all of them, made from the documents as they are."""

from __future__ import annotations

import re
from pathlib import Path

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.extraction.documents import digest
from tradewind.results import Artifact, StageResult
from tradewind.run_dir import RunDir
from tradewind.shard import Shard
from tradewind.sources.location import locate_documents

_FOLDER = re.compile(r"extract(?:-(\d+)-of-(\d+))?")


def extracted(config: RunConfig, run_dir: RunDir) -> dict[str, Artifact]:
    """The pairs drawn from running text, by `extract/<shard's folder>/<file>`; none where the recipe draws none.

    Raises:
        UserError: a shard is missing, or was made with other settings or from other documents.
    """
    if config.extract is None:
        return {}
    folders = _folders(run_dir.path)
    counts = {count for _, count in folders}
    if len(counts) > 1:
        raise UserError(f"{run_dir.path}: holds extracts in {sorted(counts)} shards; remove those of an earlier try")
    count = counts.pop() if counts else 1
    found: dict[str, Artifact] = {}
    for index in range(1, count + 1):
        folder = Shard(index, count).folder("extract")
        result = run_dir.result(folder)
        _check(result, config, run_dir.result_file(folder))
        found |= {f"extract/{folder}/{name}": artifact for name, artifact in result.outputs.items()}
    return found


def _folders(run_dir: Path) -> set[tuple[int, int]]:
    names = (_FOLDER.fullmatch(path.name) for path in run_dir.iterdir() if (path / "result.json").is_file())
    return {(int(match[1] or 1), int(match[2] or 1)) for match in names if match}


def _check(result: StageResult, config: RunConfig, path: Path) -> None:
    if result.status == "success" and result.metrics.get("documents") != digest(locate_documents(config.data_dir)):
        raise UserError(f"{path}: the texts have changed since; run the stage 'extract' again")
    now = config.model_dump(mode="json")
    for name in ("extract", "data_dir"):
        if result.config.get(name) != now[name]:
            raise UserError(f"{path}: was made with another {name}; run the stage 'extract' again")
