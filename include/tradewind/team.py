"""Several processes that do a stage's training or generation together; the stage itself stays one process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Team:
    """How many they are, what each computes on, and what starts them."""

    processes: int
    device: Device
    launch: Callable[[Path], None]
    """Called with a folder that holds a job (`tradewind.training.job`), returns once it is done. Each of the processes
    that it starts calls `tradewind.training.rank.run_rank` with that folder, which all of them must be able to write,
    and `RANK`, `WORLD_SIZE` and `LOCAL_RANK` in its environment. Raises UserError."""

    @property
    def gpus(self) -> int:
        """How many they hold."""
        return self.processes if self.device == "cuda" else 0
