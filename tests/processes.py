"""Other processes of a test's own: started, heard, and waited for."""

from __future__ import annotations

import errno
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, ClassVar

import psutil

from tradewind.results import StageResult

DEADLINE = 30.0


@contextmanager
def python(program: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process that is killed, whatever the test does."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(stream: IO[str] | None) -> str:
    """The next line, if no other is written with it; empty when every process that could write one has ended."""
    assert stream is not None
    assert select.select([stream], [], [], DEADLINE)[0], "nothing came in time"
    return stream.readline().strip()


def lives(pid: int, seconds: float = 0) -> bool:
    """Whether a process still runs, after waiting so long for its end."""
    descriptor = os.pidfd_open(pid)
    try:
        return not select.select([descriptor], [], [], seconds)[0]
    finally:
        os.close(descriptor)


def stage_process(stage: str, run_dir: Path) -> psutil.Process | None:
    """The process that computes a stage of this run, or None while there is none."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if words[1:4] == ["-m", "tradewind", stage] and str(run_dir) in words:
                return process
    return None


class Gate:
    """Stops a stage `adapt` that is turned off, and so needs little, while it reads what `prepare` published."""

    settings: ClassVar[dict[str, bool]] = {"adapt.enabled": False}

    def __init__(self, run: Path) -> None:
        self._pipe = run / "prepare" / "result.json"
        self._pipe.parent.mkdir(parents=True)
        os.mkfifo(self._pipe)

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Wait until the stage is at the gate; let it through when the block ends."""
        with os.fdopen(self._opened(), "w", encoding="utf-8") as writing:
            yield
            result = StageResult(stage="prepare", started_at="now", seconds=1, seed=1, config={}, versions={})
            writing.write(result.model_dump_json())

    def _opened(self) -> int:
        end = time.monotonic() + DEADLINE
        while True:
            try:
                return os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK)  # refused while nobody reads
            except OSError as error:
                if error.errno != errno.ENXIO or time.monotonic() > end:
                    raise
                time.sleep(0.01)
