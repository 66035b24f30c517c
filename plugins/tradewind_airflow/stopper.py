"""Ending what runs for a task, from a signal's handler."""

from __future__ import annotations

import threading
from collections.abc import Callable

_LIMIT = 4.0
"""Seconds that a signal's handler may take: Airflow kills the task's process after five."""


class Stopper:
    """Does it once, in a thread: what a handler interrupted may hold a lock that this needs, and must go on first."""

    def __init__(self, end: Callable[[], None]) -> None:
        """Take what ends it."""
        self._end = end
        self._thread: threading.Thread | None = None
        self._left = False

    def stop(self, leave: Callable[[], bool]) -> bool:
        """End it, unless it is left to a retry; safe in a signal's handler. `finish` waits for what this began.

        Args:
            leave: asks whether a retry will follow it, so that it is left alone.

        Returns:
            Whether it was left.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._stop, args=(leave,))
            self._thread.start()
        self._thread.join(_LIMIT)
        return self._left

    def finish(self) -> None:
        """Wait until what `stop` began is done."""
        if self._thread is not None:
            self._thread.join()

    def _stop(self, leave: Callable[[], bool]) -> None:
        self._left = leave()
        if not self._left:
            self._end()
