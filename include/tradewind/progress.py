"""How far a training is: written by the stage at each logging step, read by the page while it runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from tradewind.results import Contract

PROGRESS, CURVE = "progress.json", "curve.jsonl"
"""In the stage's work folder: the newest state; a line `{"step", "loss", "learning_rate"}` for each logging step."""
_LINE, _LONGEST = 1000, 10_000
"""Bytes of a line: more than a curve's have, and where one that is damaged is given up."""


class Progress(Contract):
    """`progress.json`."""

    stage: str
    step: int
    max_steps: int
    epoch: float
    loss: float | None
    tokens_per_second: float | None
    """Of training tokens, since this process began."""
    seconds_left: float | None
    gpu_memory_bytes: int | None
    """The most that was allocated so far, on all of its GPUs; None on CPU."""
    gpu_memory_total: int | None
    started_at: str
    updated_at: str


def read_progress(folder: Path) -> Progress | None:
    """`progress.json` of a stage's folder; None where there is none that can be read."""
    try:
        with (folder / PROGRESS).open("rb") as file:
            return Progress.model_validate_json(file.read(_LONGEST))
    except (OSError, ValidationError):
        return None


def read_curve(path: Path, most: int | None = None) -> list[dict[str, Any]]:
    """Step, loss and learning rate of each line of a curve or of a trainer's log; a damaged line is left out.

    Args:
        most: about so many lines are enough: of a long file no more are read, evenly over all of it, and its last.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            lines = list(_spread(file, size, most)) if most and size > most * _LINE else file.read().splitlines()
    except OSError:
        return []
    return [point for line in lines if (point := _point(line))]


def _spread(file: BinaryIO, size: int, most: int) -> Iterator[bytes]:
    end = 0
    for at in range(most - 2):
        file.seek(size * at // (most - 2))
        if at:
            file.readline(_LONGEST)  # the rest of a line
        if file.tell() >= end:
            yield file.readline(_LONGEST)
            end = file.tell()
    file.seek(max(end, size - 2 * _LINE))
    yield from file.read(_LONGEST).splitlines()[-2:]  # the very last may be half written


def _point(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
        return {"step": entry["step"], "loss": entry["loss"], "learning_rate": entry.get("learning_rate")}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
