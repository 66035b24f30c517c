"""Whether the process that sent a request is still there to hear the answer."""

from __future__ import annotations

import fcntl
import os
import uuid
from pathlib import Path

from tradewind.lease import close_in_children, let_go


class Session:
    """This process among those that share a folder of answers, in whichever container: a lock that ends with it."""

    def __init__(self, folder: Path) -> None:
        """Take a lock of its own in `folder`."""
        self.name = uuid.uuid4().hex
        self._path = _lock_file(folder, self.name)
        self._file = self._path.open("w", encoding="utf-8")
        close_in_children(self._file)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def close(self) -> None:
        """Leave no trace."""
        self._path.unlink(missing_ok=True)
        let_go(self._file)
        self._file.close()


def is_alive(folder: Path, name: str) -> bool:
    """Whether some process holds the session's lock; a dead one's file is removed."""
    path = _lock_file(folder, name)
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        path.unlink(missing_ok=True)
        return False
    finally:
        os.close(descriptor)


def _lock_file(folder: Path, name: str) -> Path:
    return folder / f".session-{name}.lock"
