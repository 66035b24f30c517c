"""That a task is to end, as everything in its process that waits can ask."""

from __future__ import annotations

import time

_STEP = 0.1


class StopRequest:
    """A flag that a signal's handler sets: no `threading.Event`, whose lock the interrupted code may hold."""

    def __init__(self) -> None:
        """Not requested yet."""
        self.requested = False

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until it is requested; returns whether it is."""
        deadline = time.monotonic() + seconds
        while not self.requested and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(_STEP, left))
        return self.requested
