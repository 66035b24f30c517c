"""Kernel locks that the process which does the work holds itself.

A lock of the supervisor's would be free after its SIGKILL while the work goes on; this one lasts
exactly as long as the working process. Local disks only: `flock` on NFS is not to be trusted.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tradewind.errors import RunDirBusyError

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@contextmanager
def run_dir_lock(run_dir: Path, stage: str) -> Iterator[None]:
    """Be the only writer of `run_dir` while the block runs.

    Raises:
        RunDirBusyError: at once, naming the process that holds the lock.
    """
    path = run_dir / ".lock"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise RunDirBusyError(f"{run_dir}: held by {_holder(file.read())}; wait for it or stop it") from None
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "stage": stage,
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        file.truncate(0)
        file.write(json.dumps(holder))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _holder(text: str) -> str:
    try:
        held = json.loads(text)
        return f"process {held['pid']} on {held['host']} (stage {held['stage']}, since {held['since']})"
    except (ValueError, KeyError, TypeError):
        return "another process"


def die_with_parent(parent_pid: int, sig: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent ends, however that ends.

    Args:
        parent_pid: the parent as it knew itself; a parent that is gone already ends this process too.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(sig), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:  # the parent died between our start and the call
        os.kill(os.getpid(), sig)
