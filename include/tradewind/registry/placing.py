"""Files into a version's folder: without taking their room twice, and on the disk before the version is shown."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tradewind.errors import UserError

# Another file system, one without links, too many of them, or a file that is another user's.
_NO_LINK = {errno.EXDEV, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EPERM, errno.EACCES}


def place_tree(source: Path, target: Path) -> None:
    """Give `target`, a new folder, every file of `source`.

    Hard links, where the file system allows: a model of gigabytes takes no room twice, and stays when the run's
    folder is cleaned. They are safe since no stage writes into what it has published. Else copies.

    Raises:
        UserError: something there is neither a file nor a folder.
    """
    target.mkdir()
    for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            place_tree(Path(entry.path), target / entry.name)
        elif entry.is_file(follow_symlinks=False):
            place_file(Path(entry.path), target / entry.name)
        else:
            raise UserError(f"{entry.path}: not a plain file; a model holds no links")


def place_file(source: Path, target: Path) -> None:
    """Link one file, or copy it where that cannot be."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(source, target, follow_symlinks=False)


def files_below(folder: Path) -> Iterator[Path]:
    """Every file, by its path below `folder`, in order."""
    yield from sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def sync(folder: Path) -> None:
    """Have the folder and all in it on the disk, so that a power cut after the rename cannot empty a file."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync(Path(parent) / name)
        _sync(Path(parent))


def sync_entries(folder: Path) -> None:
    """Have what was renamed in `folder` on the disk."""
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
