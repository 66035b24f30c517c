"""A wait that a signal's handler ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType

from tradewind_airflow.stop_request import StopRequest


def test_it_waits_its_time() -> None:
    began = time.monotonic()
    assert StopRequest().wait(0.15) is False
    assert time.monotonic() - began >= 0.15


def test_a_handler_ends_the_wait() -> None:
    stop = StopRequest()

    def handler(number: int, frame: FrameType | None) -> None:
        stop.requested = True

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert stop.wait(60) is True
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert stop.wait(60) is True  # and every later one
