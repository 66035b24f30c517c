"""What was read of files, kept as long as they stay the same."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from tradewind.errors import UserError

log = logging.getLogger("tradewind")
_Read = TypeVar("_Read")
_MOST = 20_000


class FileMemo(Generic[_Read]):
    """Reads each file once, and again where its time, size or inode has changed.

    Args:
        read: makes of a file what is kept of it; a UserError or ValueError of it says that the file is damaged.
    """

    def __init__(self, read: Callable[[Path], _Read]) -> None:
        self._read = read
        self._known: dict[Path, tuple[tuple[int, int, int], _Read | None]] = {}

    def get(self, path: Path) -> _Read | None:
        """What the file holds; None where it is damaged, which the log says once.

        Raises:
            OSError: it is absent, or may not be read.
        """
        found = path.stat()
        signature = (found.st_mtime_ns, found.st_size, found.st_ino)
        known = self._known.get(path)
        if known is None or known[0] != signature:
            if len(self._known) >= _MOST:
                self._known.clear()  # files that are gone are forgotten with the rest
            self._known[path] = known = (signature, self._checked(path))
        return known[1]

    def _checked(self, path: Path) -> _Read | None:
        try:
            return self._read(path)
        except (UserError, ValueError) as error:  # pydantic's is a ValueError
            log.warning("%s: cannot be read: %s", path, str(error).splitlines()[0])
            return None
