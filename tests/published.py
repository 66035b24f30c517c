"""Folders as stages publish them, for a home that is shared."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tradewind.results import StageResult
from tradewind.run_dir import RunDir
from tradewind.stages import Stage

RUN = "runs/trade_qa/night-1"


def publish_stage(
    run: Path, stage: Stage, files: Mapping[str, bytes], *, task_id: str | None = None,
    started_at: str = "2026-11-23T02:00:00+00:00", **more: Any,
) -> RunDir:  # fmt: skip
    """Publish `files` as a stage of a run."""
    run_dir = RunDir(run)
    work = run_dir.open_work(stage, "work")
    for name, data in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_bytes(data)
    result = StageResult(
        stage=stage, job_id="trade_qa/night", task_id=task_id or f"{stage}/1", started_at=started_at,
        seconds=1.0, seed=42, config={}, versions={}, **more,
    )  # fmt: skip
    run_dir.publish(stage, work, result)
    return run_dir


def weights(megabytes: float, seed: int = 0) -> bytes:
    """Bytes that nothing can pack, the same for the same seed."""
    import random

    return random.Random(seed).randbytes(int(megabytes * 2**20))


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def litter(root: Path) -> list[str]:
    """What a fault may have left half-written."""
    names = [name for parent, folders, files in os.walk(root) for name in (*folders, *files)]
    return [name for name in names if ".fetching-" in name or ".leaving-" in name or name.startswith(".model")]
