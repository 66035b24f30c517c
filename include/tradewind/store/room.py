"""The size limit of a bucket's local cache: what was not asked for longest goes first, and comes back when it is."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tradewind.store.address import cache_limit
from tradewind.store.record import Records, identity_here

log = logging.getLogger("tradewind")
_USE, _WORK = ".use.lock", ".lock"


@contextmanager
def in_use(*folders: Path) -> Iterator[None]:
    """Have nothing of these folders, of a run or of a pipeline's models, removed for room while the block runs."""
    with ExitStack() as held:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            file = held.enter_context((folder / _USE).open("a"))
            fcntl.flock(file, fcntl.LOCK_SH)
        yield


def make_room(root: Path, records: Records, needed: int, *, but: str) -> None:
    """Remove large files that are in the bucket, until `needed` bytes more are within the limit.

    What is in use, and what the bucket has not yet, stays; so the limit may be passed, which the log says.

    Args:
        but: the unit that room is made for.
    """
    limit = cache_limit()
    if not limit:
        return
    units = sorted(records.units(), key=lambda item: item[1])
    links: dict[int, tuple[int, int]] = {}  # a file that several units hold takes its room once
    for unit, _ in units:
        for path in _large(root, records, unit):
            with suppress(FileNotFoundError):  # another task makes room as well
                found = path.stat()
                links[found.st_ino] = (found.st_size, links.get(found.st_ino, (0, 0))[1] + 1)
    held = sum(size for size, _ in links.values())
    for unit, _ in units:
        if held + needed <= limit:
            return
        if unit != but:
            held -= _evict(root, records, unit, links)
    if held + needed > limit:
        log.warning(
            "%s: holds %.1f GB, more than TRADEWIND_CACHE_GB: all of it is in use or on its way to the bucket",
            root, (held + needed) / 1e9,
        )  # fmt: skip


def _evict(root: Path, records: Records, unit: str, links: dict[int, tuple[int, int]]) -> int:
    """Remove the large files of a unit, if nobody needs them here; returns how many bytes that freed."""
    freed = 0
    with unused(root / "/".join(unit.split("/")[: 3 if unit.startswith("runs/") else 2])) as is_free:
        known = records.get(unit)
        if not is_free or known is None or identity_here(root / unit) != known.manifest.identity:
            return 0
        for path in _large(root, records, unit):
            try:
                found = path.stat()
                path.unlink()
            except FileNotFoundError:
                continue
            size, count = links.get(found.st_ino, (found.st_size, 1))  # it may have come since
            links[found.st_ino] = (size, count - 1)
            # Links that no unit knows of, such as a stage's that is being made, keep the room taken.
            freed += size if found.st_nlink == 1 or count == 1 else 0
    if freed:
        log.info("%s: %s bytes removed from the cache; the bucket has them", unit, f"{freed:,}")
    return freed


def _large(root: Path, records: Records, unit: str) -> list[Path]:
    known = records.get(unit)
    if known is None or known.withdrawn or not known.manifest.is_folder:
        return []
    return [path for file in known.manifest.large if (path := root / unit / file.path).is_file()]


@contextmanager
def unused(folder: Path) -> Iterator[bool]:
    """Whether no task uses the folder, and no stage, perhaps without its worker, works in it."""
    with ExitStack() as held:
        for name in (_USE, _WORK):
            try:
                file = held.enter_context((folder / name).open("a"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, FileNotFoundError):
                yield False
                return
        yield True
