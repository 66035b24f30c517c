"""How far a training is, as plain lines of a log."""

from __future__ import annotations

import logging
import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

log = logging.getLogger("tradewind")


class ProgressLines(TrainerCallback):
    """Plain lines for a log: step, loss, and the time that is left."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = (0, 0.0)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Remember where this process began: after a resume not at step 0."""
        self.began = (state.global_step, time.monotonic())

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: object,
    ) -> None:
        """One line at each logging step."""
        if logs and "loss" in logs:
            done, seconds = state.global_step - self.began[0], time.monotonic() - self.began[1]
            left = (state.max_steps - state.global_step) * seconds / max(done, 1)
            where = f"step {state.global_step}/{state.max_steps}"
            log.info("%s: %s, loss %.4f, %.0f s left", self.name, where, float(logs["loss"]), left)
