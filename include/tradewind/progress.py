"""How far a training is: written by the stage at each logging step, read by the page while it runs."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tradewind.results import Contract

PROGRESS, CURVE = "progress.json", "curve.jsonl"
"""In the stage's work folder: the newest state; a line `{"step", "loss", "learning_rate"}` for each logging step."""


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
        return Progress.model_validate_json((folder / PROGRESS).read_bytes())
    except (OSError, ValidationError):
        return None


def read_curve(path: Path) -> list[dict[str, Any]]:
    """Step, loss and learning rate of each line of a curve or of a trainer's log; a line half written is left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    points = []
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            rate = entry.get("learning_rate")
            points.append({"step": entry["step"], "loss": entry["loss"], "learning_rate": rate})
    return points
