"""For a stage's own Python, by PYTHONPATH: what opens a file below `TEST_WAITS_AT` waits, as at a disk that hangs."""

import os
import sys
import threading

_FOLDER = os.environ["TEST_WAITS_AT"] + os.sep
_LIMIT = 1800.0  # seconds; for a process that its test has lost


def _wait(event: str, args: tuple[object, ...]) -> None:
    if event == "open" and str(args[0]).startswith(_FOLDER):
        threading.Event().wait(_LIMIT)  # a signal gets through


sys.addaudithook(_wait)
