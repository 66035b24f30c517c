"""What every trainer is given, and what it has to leave behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from setting.rows import Pair

ALPHA = 32
DROPOUT = 0.05
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Job:
    """One training: the same examples, once, in steps of eight, at one learning rate that stays as it is."""

    folder: Path
    """Of the job: its data, its log, and `adapter/`, which the trainer writes."""
    model: Path
    max_length: int
    learning_rate: float
    rank: int
    seed: int
    gpu: bool
    bf16: bool | None = None
    """What Tradewind computes in where that was chosen before; None: it chooses."""

    @property
    def pairs(self) -> Path:
        """`question` and `answer`, one pair a line."""
        return self.folder / "pairs.jsonl"

    @property
    def adapter(self) -> Path:
        """What was trained, as PEFT writes it."""
        return self.folder / "adapter"

    @property
    def log(self) -> Path:
        """All that the trainer's process said."""
        return self.folder / "log.txt"

    def write(self) -> Path:
        """Keep the job for the trainer's process; returns its file."""
        file = self.folder / "job.json"
        file.write_text(json.dumps({name: _plain(value) for name, value in asdict(self).items()}), encoding="utf-8")
        return file

    @classmethod
    def read(cls, file: Path) -> Job:
        """What `write` kept."""
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return cls(**kept | {"folder": Path(kept["folder"]), "model": Path(kept["model"])})

    def of_rank(self, rank: int) -> Job:
        """The same with another adapter."""
        return replace(self, rank=rank)


@dataclass(frozen=True)
class Trainer:
    """A contestant, in a few lines: to add another, write a module like its neighbours and name it in `field.py`."""

    name: str
    command: Callable[[Job], Sequence[str | Path]]
    """Write what it wants beside `job.pairs`, and say how it is started."""
    seconds: Callable[[Job], float]
    """Of the training alone, as the trainer itself tells them."""
    small: bool = False
    """Whether its adapter has the small rank."""
    is_there: Callable[[], bool] = lambda: True
    """Whether it is installed."""


def write_pairs(job: Job, pairs: Sequence[Pair]) -> None:
    """The data, as `job.pairs`."""
    job.folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"question": pair.question, "answer": pair.answer}, ensure_ascii=False) for pair in pairs]
    job.pairs.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_pairs(file: Path) -> list[dict[str, str]]:
    """What `write_pairs` wrote."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def seconds_kept(job: Job) -> float:
    """`train_runtime` of `result.json`, where the trainer's process is a file of this folder."""
    return float(json.loads((job.folder / "result.json").read_text(encoding="utf-8"))["train_runtime"])


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
