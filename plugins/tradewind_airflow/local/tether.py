"""`python -m tradewind_airflow.local.tether PID COMMAND ...`: COMMAND gets SIGINT when its parent, PID, ends."""

from __future__ import annotations

import os
import signal
import sys

from tradewind.lease import die_with_parent


def main() -> None:
    """Become the command; the kernel keeps the wish over the exec."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job ignores it, and so would the command
    die_with_parent(int(sys.argv[1]), signal.SIGINT)
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
