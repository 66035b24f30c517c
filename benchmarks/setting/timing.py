"""Runs in turn, so that what else the machine does meets every contestant alike; and medians of them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

FEWEST = 5
"""Runs that a median needs to be called one here; a table with fewer says so."""
_TAIL = 15

Made = TypeVar("Made")


@dataclass(frozen=True)
class Spread:
    """A median and what it lies between."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """ValueError without values."""
        if not values:
            raise ValueError("no runs, so no median")
        return cls(statistics.median(values), min(values), max(values), len(values))

    def __str__(self) -> str:
        digits = 1 if self.median >= 10 else 2 if self.median >= 1 else 3
        middle, low, high = (f"{value:.{digits}f}" for value in (self.median, self.low, self.high))
        return middle if self.n == 1 else f"{middle} ({low} to {high})"


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """How many times as long theirs take: the median of the rounds' own ratios.

    The runs of a round stand next to each other, so what slowed the machine slowed both.
    """
    return statistics.median(their / our for their, our in zip(theirs, ours, strict=True))


def interleaved(contestants: Mapping[str, Callable[[], Made]], rounds: int, tell: bool = True) -> dict[str, list[Made]]:
    """Run each once a round; every round begins with another, so that none always follows the same one."""
    found: dict[str, list[Made]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        begin = number % len(names)
        for name in names[begin:] + names[:begin]:
            began = time.monotonic()
            found[name].append(contestants[name]())
            if tell:
                seconds = time.monotonic() - began
                print(f"  round {number + 1}/{rounds}: {name} {seconds:.1f} s", file=sys.stderr, flush=True)
    return found


def counted(rounds: int) -> str:
    """What a table says of its runs."""
    if rounds >= FEWEST:
        return f"medians of {rounds} runs in turn"
    few = "one run of each" if rounds == 1 else f"medians of only {rounds} runs in turn"
    return f"{few}, as each takes long"


@dataclass(frozen=True)
class Process:
    """One run of one command."""

    seconds: float
    cpu: float
    mib: float
    """The most memory that it held at once."""


def run_process(
    command: Sequence[str | Path], log: Path | None = None, env: Mapping[str, str] | None = None
) -> Process:
    """Run a command to its end, its output in `log`.

    Raises:
        subprocess.CalledProcessError: it failed; the log's end is printed.
    """
    with Path(os.devnull if log is None else log).open("wb") as out:
        began = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=subprocess.STDOUT, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        if log is not None:
            print("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:]), file=sys.stderr)
        raise subprocess.CalledProcessError(process.returncode, list(map(str, command)))
    return Process(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
