"""Work files of lines, with an array that says where each line begins."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

_BLOCK = 1 << 23  # bytes


@dataclass(frozen=True)
class Block:
    """Some lines that follow each other."""

    first: int
    """The number of its first line in the file."""
    content: memoryview
    bounds: npt.NDArray[np.int64]
    """Where in `content` each line begins, and where the last ends."""

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, index: int) -> memoryview:
        return self.content[self.bounds[index] : self.bounds[index + 1]]

    def runs(self, chosen: npt.NDArray[np.bool_]) -> Iterator[memoryview]:
        """The chosen lines, those that follow each other in one piece."""
        edges = np.flatnonzero(np.diff(chosen, prepend=False, append=False))
        for start, end in self.bounds[edges].reshape(-1, 2).tolist():
            yield self.content[start:end]


class Lines:
    """A work file, written from start to end, then read in blocks or at any place; lines keep their line feeds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w+b")
        self._ends = array("q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, lines: bytes | bytearray) -> None:
        """Write whole lines at the end."""
        ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n")) + (self._ends[-1] + 1)
        self._ends.frombytes(ends.tobytes())
        self._file.write(lines)

    def __getitem__(self, index: int) -> bytes:
        self._file.flush()
        start, end = self._ends[index], self._ends[index + 1]
        return os.pread(self._file.fileno(), end - start, start)

    def blocks(self) -> Iterator[Block]:
        """All lines in order."""
        self._file.flush()
        ends = np.frombuffer(self._ends, np.int64)
        first = 0
        while first < len(self):
            last = max(int(np.searchsorted(ends, ends[first] + _BLOCK, side="right")) - 1, first + 1)
            bounds = ends[first : last + 1] - ends[first]
            content = os.pread(self._file.fileno(), int(bounds[-1]), int(ends[first]))
            yield Block(first, memoryview(content), bounds)
            first = last

    def move(self, target: Path, chosen: npt.NDArray[np.bool_]) -> None:
        """Make the chosen lines the file `target`, and end this one.

        The lines move together in place: pages that the system holds are cheaper to write again than new ones.
        """
        with self._path.open("r+b", buffering=_BLOCK) as file:
            for block in self.blocks():
                file.writelines(block.runs(chosen[block.first : block.first + len(block)]))
            file.truncate()
        self.close()
        self._path.rename(target)

    def __iter__(self) -> Iterator[bytes]:
        for block in self.blocks():
            yield from (bytes(block[index]) for index in range(len(block)))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
