"""A file of lines beside arrays that say where each begins."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np


class Lines:
    """A work file, written from start to end, then read in order or at any place."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        self._ends = array("q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def extend(self, lines: list[bytes]) -> None:
        """Append lines, none of which holds a line feed."""
        lengths = np.fromiter(map(len, lines), np.int64, len(lines)) + 1
        self._ends.frombytes((np.cumsum(lengths) + self._ends[-1]).tobytes())
        self._file.write(b"\n".join([*lines, b""]))

    def __getitem__(self, index: int) -> bytes:
        self._file.flush()
        start, end = self._ends[index], self._ends[index + 1]
        return os.pread(self._file.fileno(), end - 1 - start, start)

    def __iter__(self) -> Iterator[bytes]:
        """Every line in order, with its line feed."""
        self._file.seek(0)
        return iter(self._file)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
