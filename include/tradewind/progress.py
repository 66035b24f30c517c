"""How far a training is: written by the stage at each logging step, read by the page while it runs."""

from __future__ import annotations

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
