"""The lock on a run directory and the tie between a stage and its supervisor, with real processes and SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Timer

import pytest

from documents import SAMPLES, Cli, complaint
from processes import DEADLINE, line, lives, python
from tradewind import lease
from tradewind.errors import RunDirBusyError
from tradewind.lease import run_dir_lock

HOLDER = """
import sys
from pathlib import Path
from tradewind.lease import run_dir_lock
with run_dir_lock(Path(sys.argv[1]), "finetune"):
    print("held", flush=True)
    sys.stdin.read()
"""
WORKER = """
import sys
from pathlib import Path
from tradewind.lease import worker_lock
with worker_lock(Path(sys.argv[1]) / ".finetune.work"):
    print("at work", flush=True)
    sys.stdin.read()
"""

# Says its number, then lives for as long as the test holds the other end of its standard input.
CHILD = """
import os, sys
from tradewind.lease import die_with_parent
if sys.argv[1] == "tied":
    die_with_parent(int(sys.argv[2]))
print(os.getpid(), flush=True)
sys.stdin.read()
"""
SUPERVISOR = f"""
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}, sys.argv[1], str(os.getpid())])
child.wait()
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.fixture
def holder(run: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    with python(HOLDER, str(run)) as process:
        assert line(process.stdout) == "held"
        yield process


def test_a_second_process_fails_at_once_and_names_the_holder(
    run: Path, holder: subprocess.Popen[str], cli: Cli
) -> None:
    refused = cli("prepare", "--run-dir", run)
    assert refused.returncode == 75
    message = complaint(refused)
    assert message.startswith(f"{run}: held by process {holder.pid} on {os.uname().nodename} (stage finetune, since ")
    assert not (run / "prepare").exists()
    assert holder.poll() is None


def test_a_refused_process_leaves_the_holder_s_configuration_alone(
    run: Path, holder: subprocess.Popen[str], cli: Cli
) -> None:
    (run / "config.json").write_text("the holder's")
    assert cli("prepare", "--run-dir", run, "--recipe", "tiny", "--data", SAMPLES["en"], "--seed", "7").returncode == 75
    assert (run / "config.json").read_text() == "the holder's"


def test_the_lock_is_free_as_soon_as_its_holder_is_killed(run: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(RunDirBusyError, match=f"process {holder.pid} "), run_dir_lock(run, "evaluate"):
        pass
    holder.kill()
    assert holder.wait(DEADLINE) == -signal.SIGKILL
    with run_dir_lock(run, "evaluate"):
        text = (run / ".lock").read_text()
        assert f'"pid": {os.getpid()}' in text
        assert str(holder.pid) not in text


def test_the_lock_is_free_when_its_block_ends_also_by_an_error(run: Path) -> None:
    with pytest.raises(ZeroDivisionError), run_dir_lock(run, "adapt"):
        raise ZeroDivisionError
    with run_dir_lock(run, "adapt"):
        pass
    assert (run / ".lock").read_text() == ""


def test_a_second_writer_in_the_same_process_is_refused_too(run: Path) -> None:
    with (
        run_dir_lock(run, "adapt"),
        pytest.raises(RunDirBusyError, match=f"process {os.getpid()} "),
        run_dir_lock(run, "finetune"),
    ):
        pass


def test_runs_do_not_lock_each_other(run: Path, holder: subprocess.Popen[str], tmp_path: Path) -> None:
    with run_dir_lock(tmp_path, "adapt"):
        assert holder.poll() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', '{"pid": 1}'])
def test_a_lock_whose_note_cannot_be_read_still_refuses(run: Path, text: str) -> None:
    with run_dir_lock(run, "adapt"):
        (run / ".lock").write_text(text)
        with pytest.raises(RunDirBusyError, match="held by another process"), run_dir_lock(run, "finetune"):
            pass


def test_a_child_ends_when_its_supervisor_is_killed() -> None:
    with python(SUPERVISOR, "tied") as supervisor:
        child = int(line(supervisor.stdout))
        assert lives(child)
        supervisor.kill()
        assert supervisor.wait(DEADLINE) == -signal.SIGKILL
        assert line(supervisor.stdout) == ""  # the child held the last writing end
        assert supervisor.stdin is not None
        assert not supervisor.stdin.closed  # so it was not the end of its input that ended it


def test_a_child_that_is_not_tied_outlives_its_supervisor() -> None:
    with python(SUPERVISOR, "free") as supervisor:
        child = int(line(supervisor.stdout))
        supervisor.kill()
        assert supervisor.wait(DEADLINE) == -signal.SIGKILL
        assert lives(child)
        assert supervisor.stdin is not None
        supervisor.stdin.close()
        assert line(supervisor.stdout) == ""


def test_a_child_whose_supervisor_is_gone_already_ends_at_once() -> None:
    with python(CHILD, "tied", str(_ended_pid())) as orphan:
        assert orphan.wait(DEADLINE) == -signal.SIGKILL
        assert line(orphan.stdout) == ""


def _ended_pid() -> int:
    with python("") as process:
        process.wait(DEADLINE)
        return process.pid


def test_a_stage_of_the_command_line_is_tied_before_it_reads_anything(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")  # a stage that opens it waits until somebody writes
    stage = ["-m", "tradewind", "prepare", "--config", "config.json", "--run-dir", "run", "--die-with-parent"]
    program = f"""
import os, subprocess, sys
child = subprocess.Popen([sys.executable, *{stage!r}, str(os.getpid())], cwd={str(tmp_path)!r})
print(child.pid, flush=True)
child.wait()
"""
    with python(program) as supervisor, _opened_by_another(tmp_path / "config.json") as _:
        child = int(line(supervisor.stdout))
        assert lives(child)
        supervisor.kill()
        assert supervisor.wait(DEADLINE) == -signal.SIGKILL
        assert line(supervisor.stdout) == ""


@contextmanager
def _opened_by_another(fifo: Path) -> Iterator[int]:
    """The writing end of a pipe, once another process has opened it for reading."""
    descriptor = os.open(fifo, os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_shards_share_a_run_each_with_a_folder_of_its_own_and_keep_other_stages_out(tmp_path: Path) -> None:
    with (
        run_dir_lock(tmp_path, "extract-1-of-2", "extract-1-of-2"),
        run_dir_lock(tmp_path, "extract-2-of-2", "extract-2-of-2"),
    ):
        with (
            pytest.raises(RunDirBusyError, match=r"stage extract-2-of-2"),
            run_dir_lock(tmp_path, "extract-2-of-2", "extract-2-of-2"),
        ):
            pass
        with pytest.raises(RunDirBusyError, match="stage extract-1-of-2"), run_dir_lock(tmp_path, "prepare"):
            pass
    with (
        run_dir_lock(tmp_path, "prepare"),
        pytest.raises(RunDirBusyError, match="stage prepare"),
        run_dir_lock(tmp_path, "extract-1-of-2", "extract-1-of-2"),
    ):
        pass


def test_the_baseline_runs_beside_a_training_but_not_two_trainings(tmp_path: Path) -> None:
    with run_dir_lock(tmp_path, "adapt", "training"), run_dir_lock(tmp_path, "baseline", "baseline"):
        with (
            pytest.raises(RunDirBusyError, match="stage adapt"),
            run_dir_lock(tmp_path, "finetune", "training"),
        ):
            pass
        with pytest.raises(RunDirBusyError, match=f"process {os.getpid()} "), run_dir_lock(tmp_path, "evaluate"):
            pass
    with run_dir_lock(tmp_path, "evaluate"):
        pass


def test_no_try_begins_while_workers_of_the_one_before_are_at_work(
    run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with python(WORKER, run) as first, python(WORKER, run) as second:
        assert [line(first.stdout), line(second.stdout)] == ["at work", "at work"]
        first.kill()
        with monkeypatch.context() as hasty:
            hasty.setattr(lease, "_WORKERS_PATIENCE", 0.2)
            with (
                pytest.raises(RunDirBusyError, match=r"workers of an earlier try are still at work on finetune;"),
                run_dir_lock(run, "finetune", "training"),
            ):
                pass
        with run_dir_lock(run, "adapt", "training"):  # another stage's
            pass
        ending = Event()

        def end() -> None:
            ending.set()
            second.kill()

        Timer(0.5, end).start()
        with run_dir_lock(run, "finetune", "training"):
            assert ending.is_set()
    assert "still at work on finetune; waiting up to 300 s for their end" in caplog.text
