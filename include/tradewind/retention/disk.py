"""Runs below a folder: what they are, what they take, and how one goes whole."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from tradewind.retention.plan import KnownRun, sources_of
from tradewind.reuse.index import Entry

_LEAVING = ".removing-"


def runs_of(home: Path) -> list[KnownRun]:
    """Every run; one that is being made counts as written to now.

    Raises:
        UserError: a result of one cannot be read.
    """
    found = []
    for path in sorted((home / "runs").glob("[!.]*/[!.]*/")):
        with suppress(FileNotFoundError), _alone(path) as is_free:  # another prune may remove it meanwhile
            written, sources = _written_at(path), sources_of(path)
            found.append(KnownRun(path.parent.name, path.name, written, not is_free, path.is_symlink(), sources))
    return found


def bytes_of(home: Path, runs: Sequence[KnownRun]) -> list[int]:
    """What the removal of each run frees, the runs before it being gone: a file goes with its last name."""
    links: dict[tuple[int, int], int] = {}
    freed = []
    for run in runs:
        size = 0
        for path in _files(home / "runs" / run.dag_id / run.name):
            with suppress(FileNotFoundError):
                found = path.lstat()
                place = (found.st_dev, found.st_ino)
                links[place] = links.get(place, found.st_nlink) - 1
                size += found.st_size if links[place] == 0 else 0
        freed.append(size)
    return freed


def remove_run(home: Path, run: KnownRun, first: Callable[[], None] | None = None) -> bool:
    """Remove a run's folder and what the index knows of it; returns False where somebody works in it by now.

    Args:
        first: what is to be done before, while nobody works in it.
    """
    path = home / "runs" / run.dag_id / run.name
    with _alone(path) as is_free:
        if not is_free:
            return False
        if first is not None:
            first()
        leaving = path.with_name(f"{_LEAVING}{uuid.uuid4().hex}")  # so that a half of one is never seen
        try:
            path.rename(leaving)
        except FileNotFoundError:  # another prune was first
            return True
    for entry in entries_of(home, run):
        entry.unlink(missing_ok=True)
    with suppress(FileNotFoundError):  # another prune takes it for a leftover
        shutil.rmtree(leaving)
    return True


def entries_of(home: Path, run: KnownRun) -> list[Path]:
    """The entries of the index that lead to a run."""
    found = []
    for path in (home / "runs" / run.dag_id / ".results").glob("*/[!.]*.json"):
        with suppress(OSError, ValidationError):
            if Entry.model_validate_json(path.read_bytes()).run == run.name:
                found.append(path)
    return found


def leftovers(home: Path) -> list[Path]:
    """What a removal that was killed has left."""
    return sorted((home / "runs").glob(f"*/{_LEAVING}*"))


@contextmanager
def _alone(run: Path) -> Iterator[bool]:
    """Whether no process of this machine works in the run; none can begin to while the block runs."""
    with ExitStack() as held:
        locks = {run / ".lock"}
        with suppress(FileNotFoundError):  # the run is gone
            locks |= set(run.glob(".*lock"))
        for path in sorted(locks):
            try:
                file = held.enter_context(path.open("r"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except FileNotFoundError:
                continue
            except BlockingIOError:
                yield False
                return
        yield True


def _written_at(run: Path) -> datetime:
    times = [run.stat().st_mtime]
    for path in _files(run):
        with suppress(FileNotFoundError):
            if "lock" not in path.name:
                times.append(path.lstat().st_mtime)
    return datetime.fromtimestamp(max(times), UTC)


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in names)
