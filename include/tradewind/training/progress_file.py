"""How far a training is, as files that a page reads while it runs."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tradewind.files import write_atomically
from tradewind.progress import CURVE, PROGRESS, Progress

log = logging.getLogger("tradewind")


class ProgressFile(TrainerCallback):
    """Keeps `progress.json` and `curve.jsonl` in a stage's work folder; a fault of theirs never ends the training.

    Args:
        stage: its name.
        work: where the files go.
    """

    def __init__(self, stage: str, work: Path) -> None:
        self.stage = stage
        self.work = work
        self.began = (0, 0.0)
        self.started_at = ""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Take the curve over from the checkpoint: what an interrupted try wrote after it is trained again."""
        del args, control, kwargs
        self.began = (state.global_step, time.monotonic())
        self.started_at = _now()
        lines = [_point(entry["step"], entry) for entry in state.log_history if "loss" in entry]
        self._write(state, {}, lambda: write_atomically(self.work / CURVE, "".join(lines)))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: object,
    ) -> None:
        """A point of the curve, and the state as it is now."""
        del args, control, kwargs
        if logs and "loss" in logs:
            self._write(state, logs, lambda: self._add(_point(state.global_step, logs)))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """The last step, which is logged only where it is one of `logging_steps`."""
        del args, control, kwargs
        last: dict[str, Any] = next((entry for entry in reversed(state.log_history) if "loss" in entry), {})
        self._write(state, last, lambda: None)

    def _add(self, line: str) -> None:
        with (self.work / CURVE).open("a", encoding="utf-8") as file:
            file.write(line)

    def _write(self, state: TrainerState, logs: dict[str, Any], write_curve: Callable[[], None]) -> None:
        try:
            write_curve()
            write_atomically(self.work / PROGRESS, self._progress(state, logs).model_dump_json())
        except OSError as error:  # what matters, the checkpoint, meets the full disk by itself and says so
            log.warning("%s: the progress is not kept: %s", self.stage, error)

    def _progress(self, state: TrainerState, logs: dict[str, Any]) -> Progress:
        done, seconds = state.global_step - self.began[0], time.monotonic() - self.began[1]
        tokens = logs.get("num_tokens")  # counted by TRL's trainer, anew in each process
        memory, total = _gpu_memory()
        return Progress(
            stage=self.stage,
            step=state.global_step,
            max_steps=state.max_steps,
            epoch=round(state.epoch or 0.0, 4),
            loss=_finite(logs.get("loss")),
            tokens_per_second=round(tokens / seconds, 1) if tokens and seconds else None,
            seconds_left=round((state.max_steps - state.global_step) * seconds / done, 1) if done else None,
            gpu_memory_bytes=memory,
            gpu_memory_total=total,
            started_at=self.started_at,
            updated_at=_now(),
        )


def _point(step: int, logs: dict[str, Any]) -> str:
    point = {"step": step, "loss": _finite(logs["loss"]), "learning_rate": _finite(logs.get("learning_rate"))}
    return json.dumps(point) + "\n"


def _finite(value: Any) -> float | None:
    """A diverged loss has no place in JSON."""
    return float(value) if value is not None and math.isfinite(float(value)) else None


def _gpu_memory() -> tuple[int | None, int | None]:
    """The most that was allocated so far, and what there is, on all GPUs of this process together; None on CPU."""
    if not torch.cuda.is_available():
        return None, None
    several = torch.distributed.is_initialized()  # processes, each with a GPU of its own
    devices = [torch.cuda.current_device()] if several else range(torch.cuda.device_count())
    used = sum(torch.cuda.max_memory_allocated(device) for device in devices)
    return used, sum(torch.cuda.get_device_properties(device).total_memory for device in devices)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
