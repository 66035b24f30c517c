"""A signal that asks this process to end, wherever it is at that moment."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger("tradewind")
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(BaseException):
    """SIGTERM, SIGINT or SIGHUP came."""


@contextmanager
def until_stopped() -> Iterator[None]:
    """Leave the block, cleaning up on the way, when such a signal comes; a second one changes nothing."""

    def stop(number: int, _: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    except Stopped as stopped:
        log.info("%s: ended", stopped)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
