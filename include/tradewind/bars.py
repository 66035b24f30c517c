"""Progress bars as lines, for a log that shows nothing before a newline."""

from __future__ import annotations

import io
import time
from typing import TextIO

_EVERY = 5.0


class BarsAsLines(io.TextIOBase):
    """A stream that passes lines on, and of a bar, which draws itself over its last state, a state now and then."""

    def __init__(self, inner: TextIO, every: float = _EVERY) -> None:
        """Write to `inner`; a bar that goes on shows a line every so many seconds."""
        self._inner = inner
        self._every = every
        self._shown = 0.0
        self._pending = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As the stream below: tqdm draws by it."""
        return self._inner.encoding

    def fileno(self) -> int:
        """The stream below: a crash handler writes there."""
        return self._inner.fileno()

    def write(self, text: str) -> int:
        """Pass on whole lines, and a bar's newest state if the last one is old."""
        *whole, rest = (self._pending + text).split("\n")
        for line in whole:
            self._inner.write(line.rpartition("\r")[2] + "\n")
        drawn, again, self._pending = rest.rpartition("\r")
        state = (self._pending or drawn.rpartition("\r")[2]).strip()
        if again and state and time.monotonic() - self._shown >= self._every:
            self._shown = time.monotonic()
            self._inner.write(state + "\n")
        if again:
            self._pending = "\r" + self._pending
        return len(text)

    def flush(self) -> None:
        """Flush what was passed on."""
        self._inner.flush()
