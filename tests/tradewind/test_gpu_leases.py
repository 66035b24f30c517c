"""GPUs held by kernel locks: all or none, by one process at a time, free at its end; real processes and SIGKILL."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from documents import Cli, complaint
from processes import DEADLINE, Gate, line, lives, python
from tradewind.errors import GpuBusyError, UserError
from tradewind.lease import gpu_leases, is_leased, open_lock

NOBODY = 65534

# Holds GPUs as that user, or says why not, for as long as the test holds the other end of its standard input. A
# relative folder: another user need not reach what is above it.
HOLDER = """
import os, subprocess, sys
from pathlib import Path
from tradewind.errors import GpuBusyError
from tradewind.lease import gpu_leases
folder, user, child, *gpus = sys.argv[1:]
os.chdir(folder)
os.umask(0o077)
os.setgid(int(user))
os.setuid(int(user))
try:
    with gpu_leases(Path(), gpus):
        number = 0
        if child == "forked":
            number = os.fork()
            if not number:
                sys.stdin.read()
                os._exit(0)
        elif child == "started":
            number = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], close_fds=False).pid
        print("held", number, flush=True)
        sys.stdin.read()
except GpuBusyError as error:
    print(error, flush=True)
"""
# What two processes did at once leaves a mark that the second cannot make.
CONTENDER = """
import os, random, sys
from pathlib import Path
from tradewind.errors import GpuBusyError
from tradewind.lease import gpu_leases
folder, dice, won, lost = Path(sys.argv[1]), random.Random(int(sys.argv[2])), 0, 0
print("ready", flush=True)
sys.stdin.readline()
while won < 25:
    gpus = dice.sample(["0", "1", "2"], 2)
    try:
        with gpu_leases(folder, gpus):
            marks = [folder / f"used-{gpu}" for gpu in gpus]
            for mark in marks:
                os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
            for _ in range(200):
                os.sched_yield()
            for mark in marks:
                mark.unlink()
            won += 1
    except GpuBusyError:
        lost += 1
        os.sched_yield()
print(won, lost)
"""


@contextmanager
def _holder(
    folder: Path, *gpus: str, user: int | None = None, child: str = "none"
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that holds these GPUs, and its child."""
    with python(HOLDER, folder, os.getuid() if user is None else user, child, *gpus) as process:
        held, _, number = line(process.stdout).partition(" ")
        assert held == "held"
        yield process, int(number)


def _leased(folder: Path) -> str:
    return "".join(gpu for gpu in "0123" if is_leased(folder, gpu))


@pytest.mark.parametrize("taken", ["1", "3", "0"])
def test_one_taken_gpu_leaves_all_the_others_free(tmp_path: Path, taken: str) -> None:
    with _holder(tmp_path, taken):
        with pytest.raises(GpuBusyError) as raised, gpu_leases(tmp_path, ["3", "1", "0"]):
            pass
        assert str(raised.value) == f"GPU {taken}: held by another process; another GPU may be free"
        assert _leased(tmp_path) == taken


@pytest.mark.parametrize("first", range(8))
def test_gpus_are_taken_in_one_order_whatever_order_they_are_asked_in(tmp_path: Path, first: int) -> None:
    gpus = [str(number) for number in range(8)]
    wanted = gpu_leases(tmp_path, gpus[::-1])
    with gpu_leases(tmp_path, gpus[first:]), pytest.raises(GpuBusyError, match=f"GPU {first}:"), wanted:
        pass


def test_gpus_are_held_while_the_block_runs_and_free_when_it_ends_also_by_an_error(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 - names alone
    with gpu_leases(tmp_path, ["2", "0"]):
        assert _leased(tmp_path) == "02"
    assert _leased(tmp_path) == ""
    with pytest.raises(ZeroDivisionError), gpu_leases(tmp_path, ["2", "0"]):
        raise ZeroDivisionError
    assert _leased(tmp_path) == ""
    with gpu_leases(tmp_path, ["0"]), pytest.raises(GpuBusyError), gpu_leases(tmp_path, ["1", "0"]):
        pass
    assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208


def test_no_gpu_and_one_named_twice(tmp_path: Path) -> None:
    with gpu_leases(tmp_path / "absent", []), gpu_leases(tmp_path, ["1", "1"]):
        assert _leased(tmp_path) == "1"


def test_asking_who_is_leased_leaves_no_lock(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    with _holder(tmp_path, "1"):
        assert [is_leased(tmp_path, gpu) for gpu in ("0", "1", "0", "1")] == [False, True, False, True]
        with _holder(tmp_path, "0"):
            pass
    assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208


def test_one_that_asks_at_the_same_moment_is_not_taken_for_a_holder(tmp_path: Path) -> None:
    with os.fdopen(open_lock(tmp_path, "0")) as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert not is_leased(tmp_path, "0")


@pytest.mark.parametrize("child", ["none", "started", "forked"])
def test_a_gpu_is_free_as_soon_as_its_holder_is_killed_and_not_before(tmp_path: Path, child: str) -> None:
    """A helper of the holder's, such as a data loader's, may end later than it: it does not hold the GPU."""
    with _holder(tmp_path, "0", "1", child=child) as (process, number):
        assert _leased(tmp_path) == "01"
        process.kill()
        assert process.wait(DEADLINE) == -signal.SIGKILL
        if child != "none":
            assert lives(number)
        with gpu_leases(tmp_path, ["0", "1"]):
            pass


@pytest.mark.parametrize("child", ["started", "forked"])
def test_the_end_of_a_child_frees_nothing(tmp_path: Path, child: str) -> None:
    with _holder(tmp_path, "0", child=child) as (_, number):
        os.kill(number, signal.SIGKILL)
        assert not lives(number, DEADLINE)
        assert _leased(tmp_path) == "0"


def test_any_user_of_the_host_may_hold_a_gpu_and_is_refused_one_that_is_held(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be two users")
    folder = tmp_path / "leases"
    folder.mkdir()
    folder.chmod(0o1777)
    with _holder(folder, "0"), _holder(folder, "1", user=NOBODY):
        for path in folder.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert {path.name: path.stat().st_uid for path in folder.iterdir()} == {"gpu-0.lock": 0, "gpu-1.lock": NOBODY}
        with python(HOLDER, folder, NOBODY, "none", "0") as refused:
            assert line(refused.stdout).startswith("GPU 0: held by another process")
        with python(HOLDER, folder, 0, "none", "1") as refused:
            assert line(refused.stdout).startswith("GPU 1: held by another process")
    with _holder(folder, "0", user=NOBODY), _holder(folder, "1"):
        assert _leased(folder) == "01"


def test_processes_that_want_two_of_three_gpus_never_share_one(tmp_path: Path) -> None:
    with (
        python(CONTENDER, tmp_path, 1) as one, python(CONTENDER, tmp_path, 2) as two,
        python(CONTENDER, tmp_path, 3) as three,
    ):  # fmt: skip
        processes = (one, two, three)
        for process in processes:
            assert line(process.stdout) == "ready"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        told = [line(process.stdout).split() for process in processes]
        assert [process.wait(DEADLINE) for process in processes] == [0, 0, 0]
    assert [won for won, _ in told] == ["25", "25", "25"]
    assert any(int(lost) for _, lost in told)  # they did meet


def test_a_stage_holds_its_gpus_exactly_while_it_works(tmp_path: Path, cli: Cli) -> None:
    gate = Gate(tmp_path / "run")
    settings = ["--set", "adapt.enabled=false", "--lease-dir", str(tmp_path)]
    command = [sys.executable, "-m", "tradewind", "adapt", "--run-dir", str(tmp_path / "run"), *settings]
    with subprocess.Popen([*command, "--gpu", "2", "--gpu", "0"]) as stage:
        with gate.reached():
            assert _leased(tmp_path) == "02"
            refused = cli("adapt", "--run-dir", tmp_path / "other", *settings, "--gpu", "1", "--gpu", "2")
        assert stage.wait(DEADLINE) == 0
    assert refused.returncode == 69
    assert complaint(refused) == "GPU 2: held by another process; another GPU may be free"
    assert not (tmp_path / "other").exists()
    assert _leased(tmp_path) == ""


@pytest.mark.parametrize("gpu", ["", "../0", "0/1", "0 1", "0\n", "영", "0;1", "/etc/passwd"])
def test_what_cannot_be_a_gpu_is_refused_before_a_file_is_made(tmp_path: Path, gpu: str) -> None:
    with pytest.raises(UserError) as raised:
        open_lock(tmp_path, gpu)
    assert str(raised.value) == f"GPU '{gpu}': not an index or a UUID; see TRADEWIND_GPUS"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("gpu", ["0", "15", "GPU-8f2a1c3e-0d5b-4f6a-9c7e-1b2d3e4f5a6b", "renderD128", "0000:3B:00.0"])
def test_each_way_to_name_a_gpu_has_a_file_of_its_own(tmp_path: Path, gpu: str) -> None:
    with gpu_leases(tmp_path, [gpu]):
        assert [path.name for path in tmp_path.iterdir()] == [f"gpu-{gpu}.lock"]
