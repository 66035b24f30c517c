"""Which try of a task may stop its container, and up to where the log was passed on.

Kept beside the run on local disk: a try that Airflow has given up, but that still lives, must not stop
the container which the next try has taken over; and that one goes on in the log where the first ended.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tradewind.files import write_atomically


class Claim:
    """One task's claim on its container."""

    def __init__(self, folder: Path, task: str, owner: str) -> None:
        """Keep the claim of `task` in `folder` in the name of `owner`, a text without newlines that is one try's."""
        self._owner = owner
        self._claim_file = folder / f".{task}.claim"
        self._position_file = folder / f".{task}.position"
        self._finished_file = folder / f".{task}.finished"

    def take(self) -> None:
        """Be the owner from now on, whoever was."""
        with self._locked() as number:
            os.ftruncate(number, 0)
            os.pwrite(number, self._owner.encode(), 0)

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Whether this is the owner; nobody takes the claim over while the block runs."""
        with self._locked() as number:
            yield os.pread(number, 4096, 0) == self._owner.encode()

    def position(self, container_id: str) -> str:
        """The engine's time of the last line of this container that was passed on; empty at its start."""
        try:
            seen, _, time = self._position_file.read_text(encoding="ascii").partition(" ")
        except FileNotFoundError:
            return ""
        return time if seen == container_id else ""

    def advance(self, container_id: str, time: str) -> None:
        """Remember a line as passed on. One write of fixed length: a kill leaves the old one or the new."""
        number = os.open(self._position_file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.pwrite(number, f"{container_id} {time}".encode("ascii"), 0)
        finally:
            os.close(number)

    def finish(self, generation: int, task_id: str) -> None:
        """Note that the container of this try has published, before it is removed and Airflow is told."""
        write_atomically(self._finished_file, json.dumps([generation, task_id]))

    def finished(self, generation: int) -> str:
        """The try that has published since the run was last cleared; empty if none has."""
        try:
            found, task_id = json.loads(self._finished_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ""
        return str(task_id) if found == generation else ""

    @contextmanager
    def _locked(self) -> Iterator[int]:
        number = os.open(self._claim_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            yield number
        finally:
            os.close(number)
