"""Kernel locks that the process which does the work holds itself: on a run directory, a registry, a GPU.

A lock of the supervisor's would be free after its SIGKILL while the work goes on; this one lasts
exactly as long as the working process. Local disks only: `flock` on NFS is not to be trusted.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import logging
import os
import re
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from tradewind.errors import GpuBusyError, RunDirBusyError, UserError

log = logging.getLogger("tradewind")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_held: set[IO[str]] = set()
_PATIENCE = 120.0  # placing files and changing a registry take seconds: what is waited for is a disk that deletes
_WORKERS_PATIENCE = 300.0
"""Seconds: a node that was cut off from its Ray cluster gave up, and ended its worker, after 182."""
_POLL = 0.05
_WORK_LOCK = ".lock"
_WORKERS_LOCK = ".workers.lock"


def close_in_children(file: IO[str]) -> None:
    """A forked child, such as a data loader's worker, may outlive the process whose lock it would share."""
    _held.add(file)


def let_go(file: IO[str]) -> None:
    """The file's lock is no longer held."""
    _held.discard(file)


def held_files() -> tuple[int, ...]:
    """The open files of the locks that this process holds: a child that is given them holds the locks as well."""
    return tuple(sorted(file.fileno() for file in _held))


def _leave_to_parent() -> None:
    for file in _held:
        file.close()
    _held.clear()


os.register_at_fork(after_in_child=_leave_to_parent)


@contextmanager
def run_dir_lock(run_dir: Path, stage: str, lane: str | None = None) -> Iterator[None]:
    """Be the only writer of `run_dir` while the block runs.

    Args:
        stage: the name of the stage's folder.
        lane: be the only one in this lane, beside others of the run that are in lanes of their own.

    Raises:
        RunDirBusyError: at once, naming the process that holds the lock; after a while, where workers of an earlier
            try do not come to their end.
    """
    with ExitStack() as held:
        if lane is None:
            held.enter_context(_locked(run_dir, ".lock", stage, fcntl.LOCK_EX))
        else:
            held.enter_context(_locked(run_dir, ".lock", stage, fcntl.LOCK_SH))
            held.enter_context(_locked(run_dir, f".{lane}.lock", stage, fcntl.LOCK_EX))
        _await_workers(run_dir, stage)
        yield


@contextmanager
def worker_lock(work: Path) -> Iterator[None]:
    """Do a part of a stage's work, beside others that do, in a process that is no child of the stage's.

    On another machine it may live on when that one is gone. Until it ends no other try of the stage begins: see
    `run_dir_lock`.

    Args:
        work: the stage's work folder.
    """
    with _locked(work.parent, f"{work.stem}{_WORKERS_LOCK}", work.stem, fcntl.LOCK_SH, patience=_PATIENCE):
        yield


def _await_workers(run_dir: Path, stage: str) -> None:
    name = f".{stage}{_WORKERS_LOCK}"
    if not (run_dir / name).exists():
        return
    at_work = f"{run_dir}: workers of an earlier try are still at work on {stage}"
    for patience in (0.0, _WORKERS_PATIENCE):
        try:
            with _locked(run_dir, name, stage, fcntl.LOCK_EX, patience=patience):
                return
        except RunDirBusyError:
            if not patience:
                log.warning("%s; waiting up to %.0f s for their end", at_work, _WORKERS_PATIENCE)
    raise RunDirBusyError(f"{at_work}; wait for their end, or stop them")


@contextmanager
def placing_lock(run_dir: Path) -> Iterator[None]:
    """Be the only one that puts earlier results into `run_dir` while the block runs; waits for another.

    Raises:
        RunDirBusyError: the other does not come to its end.
    """
    with _locked(run_dir, ".placing.lock", "placing", fcntl.LOCK_EX, patience=_PATIENCE):
        yield


@contextmanager
def registry_lock(folder: Path, doing: str, patience: float = _PATIENCE) -> Iterator[None]:
    """Be the only one that changes a registry of models while the block runs; waits for another.

    Args:
        patience: how long, in seconds.

    Raises:
        RunDirBusyError: the other does not come to its end.
    """
    with _locked(folder, ".lock", doing, fcntl.LOCK_EX, patience=patience):
        yield


@contextmanager
def work_lock(folder: Path) -> Iterator[None]:
    """Say that `folder` is being worked on, see `is_worked_on`."""
    with _locked(folder, _WORK_LOCK, "register", fcntl.LOCK_EX):
        yield


def release_work(folder: Path) -> None:
    """Leave nothing of the `work_lock` in the folder."""
    (folder / _WORK_LOCK).unlink()


def is_worked_on(folder: Path) -> bool:
    """Whether a live process holds the folder's `work_lock`; what a killed one left is free."""
    try:
        with (folder / _WORK_LOCK).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def _locked(folder: Path, name: str, stage: str, kind: int, patience: float = 0.0) -> Iterator[None]:
    with (folder / name).open("a+", encoding="utf-8") as file:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    # Who share a lock tell of themselves in those of their lanes.
                    notes = (
                        path.read_text(encoding="utf-8") for path in (folder / name, *sorted(folder.glob(".*.lock")))
                    )
                    holder = next(filter(None, map(_holder, notes)), "another process")
                    raise RunDirBusyError(f"{folder}: held by {holder}; wait for it or stop it") from None
            time.sleep(_POLL)
        close_in_children(file)
        alone = kind == fcntl.LOCK_EX  # of several that share it each tells of itself in a lock of its own
        if alone:
            file.truncate(0)
            file.write(json.dumps(_this_process(stage)))
            file.flush()
        try:
            yield
        finally:
            let_go(file)
            if alone:
                file.truncate(0)


def _this_process(stage: str) -> dict[str, object]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "stage": stage, "since": since}


def _holder(text: str) -> str | None:
    try:
        held = json.loads(text)
        return f"process {held['pid']} on {held['host']} (stage {held['stage']}, since {held['since']})"
    except (ValueError, KeyError, TypeError):
        return None


@contextmanager
def gpu_leases(folder: Path, gpus: Sequence[str]) -> Iterator[None]:
    """Hold every one of these GPUs, or none, while the block runs.

    Args:
        folder: holds one lock file a GPU; the same folder for all that share this host's GPUs.
        gpus: as `TRADEWIND_GPUS` names them.

    Raises:
        GpuBusyError: at once, naming the first that another process holds.
    """
    with ExitStack() as held:
        for gpu in sorted(set(gpus)):  # one order for all: two that want the same pair cannot block each other
            file = held.enter_context(os.fdopen(open_lock(folder, gpu), "r+", encoding="utf-8"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise GpuBusyError(f"GPU {gpu}: held by another process; another GPU may be free") from None
            close_in_children(file)
            held.callback(let_go, file)
        yield


def is_leased(folder: Path, gpu: str) -> bool:
    """Whether some process holds this GPU at this moment: a hint, since the next moment may differ."""
    with os.fdopen(open_lock(folder, gpu), "r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def open_lock(folder: Path, gpu: str) -> int:
    """A descriptor of a GPU's lock file, which any user of the host may lock; made where absent."""
    if not re.fullmatch(r"[A-Za-z0-9_.:-]+", gpu):
        raise UserError(f"GPU '{gpu}': not an index or a UUID; see TRADEWIND_GPUS")
    path = folder / f"gpu-{gpu}.lock"
    try:
        # Without O_CREAT first: in a sticky folder the kernel refuses it on another user's file.
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        with suppress(PermissionError):  # another user made it in this moment, and says so itself
            os.fchmod(number, 0o666)  # whatever the umask is
        return number


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
