"""Hashes of files, each read once as long as it stays as it is: gigabytes of documents are not read every night."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from tradewind.files import sha256_of
from tradewind.results import folder_digest

log = logging.getLogger("tradewind")
_FILE = "files.sqlite3"
_TABLE = """
CREATE TABLE IF NOT EXISTS file (
  device INTEGER, inode INTEGER, size INTEGER, mtime INTEGER, ctime INTEGER, sha256 TEXT NOT NULL,
  PRIMARY KEY (device, inode)
) WITHOUT ROWID
"""
_FRESH = 2 * 10**9
"""Nanoseconds: a file that has just changed may change again without its times telling."""

_State = tuple[int, int, int]
"""Size, and the times of the last change to content and to content or name, in nanoseconds."""


class FileHashes:
    """sha256 by path; what is known of a file is its device and inode, and counts while size and times are the same.

    It is a convenience: where the database cannot be had, every file is read.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Keep them in a database in `folder`, too, if there is such a folder."""
        self._known: dict[tuple[int, int], tuple[_State, str]] = {}
        self._new: list[tuple[int | str, ...]] = []
        self._db: sqlite3.Connection | None = None
        if folder is not None and folder.is_dir():
            try:
                self._db = sqlite3.connect(folder / _FILE, timeout=5)
                self._db.execute(_TABLE)
            except sqlite3.Error as error:
                self._give_up(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._db is not None and self._new:
                self._db.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)", self._new)
                self._db.commit()
        except sqlite3.Error as error:
            self._give_up(error)
        if self._db is not None:
            self._db.close()

    def of(self, path: Path) -> str:
        """The hex digest of a file."""
        before = path.stat()
        place, state = (before.st_dev, before.st_ino), _state(before)
        known = self._known.get(place) or self._kept(place)
        if known is not None and known[0] == state:
            return known[1]
        began = time.time_ns()
        digest = sha256_of(path)
        if _state(path.stat()) == state and state[2] < began - _FRESH:
            self._known[place] = (state, digest)
            self._new.append((*place, *state, digest))
        return digest

    def of_folder(self, folder: Path) -> str:
        """As `Artifact` counts a folder."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        return folder_digest({path.relative_to(folder): self.of(path) for path in files})

    def _kept(self, place: tuple[int, int]) -> tuple[_State, str] | None:
        if self._db is None:
            return None
        try:
            row = self._db.execute(
                "SELECT size, mtime, ctime, sha256 FROM file WHERE device = ? AND inode = ?", place
            ).fetchone()
        except (sqlite3.Error, OverflowError) as error:
            self._give_up(error)
            return None
        return None if row is None else ((row[0], row[1], row[2]), row[3])

    def _give_up(self, error: Exception) -> None:
        log.warning("hashes of files are not kept: %s", error)
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
        self._db = None


def _state(found: os.stat_result) -> _State:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
