"""`python -m tradewind.serving.keeper ORDER`: an engine's process, its GPUs, and the end of both.

It stands between the command and the engine: it holds the GPUs until the last process that the engine has started is
gone, which a lock of the command's, or of the engine's first process, would not. It ends with the command, however
that ends; ended by it or by a signal, it ends the engine politely, and after a while by force.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tradewind.errors import UserError
from tradewind.lease import die_with_parent, gpu_leases

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True)
class Order:
    """What to keep; no secret is in it, as lists of processes show it."""

    parent: int
    command: tuple[str, ...]
    cleanup: tuple[str, ...]
    gpus: tuple[str, ...]
    lease_dir: str
    stop_timeout: float

    def arguments(self) -> list[str]:
        """This program's command line."""
        return [sys.executable, "-m", "tradewind.serving.keeper", json.dumps(asdict(self))]


def main() -> int:
    """Keep the engine; returns its exit code, or a busy GPU's."""
    order = Order(**json.loads(sys.argv[1]))
    asked = _signals()
    die_with_parent(order.parent, signal.SIGTERM)
    _adopt_orphans()
    try:
        with gpu_leases(Path(order.lease_dir), order.gpus):
            return _keep(order, asked)
    except UserError as error:
        print(f"tradewind: {error}", file=sys.stderr)
        return error.exit_code


def _signals() -> socket.socket:
    """A socket that can be read once this process is asked to end."""
    ours, kernels = socket.socketpair()
    kernels.setblocking(False)
    signal.set_wakeup_fd(kernels.detach(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return ours


def _adopt_orphans() -> None:
    """Become the parent of every process below whose own parent ends, so that it can be found."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "prctl(PR_SET_CHILD_SUBREAPER)")


def _keep(order: Order, asked: socket.socket) -> int:
    try:
        engine = subprocess.Popen(order.command, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise UserError(f"{order.command[0]}: cannot be started: {error.strerror}") from error
    ended = os.pidfd_open(engine.pid)
    try:
        ready, _, _ = select.select([asked.fileno(), ended], [], [])
        if ended not in ready:
            engine.terminate()
            select.select([ended], [], [], order.stop_timeout)
    finally:
        os.close(ended)
        _kill_all_below()
        if order.cleanup:
            subprocess.run(order.cleanup, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    code = engine.wait()
    return code if code >= 0 else 128 - code


def _kill_all_below() -> None:
    import psutil

    own = psutil.Process()
    while True:
        left = [process for process in own.children(recursive=True) if _runs(process)]
        if not left:
            return
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=1)


def _runs(process: object) -> bool:
    import psutil

    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)  # type: ignore[attr-defined]
    return False


if __name__ == "__main__":
    sys.exit(main())
