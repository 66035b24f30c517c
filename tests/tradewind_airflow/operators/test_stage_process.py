"""A stage's real process: it ends with its task, and knows only what it should."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Context
from airflow.sdk._shared.secrets_masker import redact
from airflow.sdk.exceptions import AirflowException, AirflowFailException

import tradewind
from container_fixtures import waits_at
from tradewind.lease import run_dir_lock
from tradewind_airflow.child import Ended
from tradewind_airflow.operators.qa import QAConversionOperator
from tries import wait_for

SAMPLES = Path(tradewind.__file__).parent / "samples" / "en"
DEADLINE = 60.0
# `execute` in a process of its own, under the title and the supervisor that Airflow gives a task.
_TASK = """
import json, os, sys
from types import SimpleNamespace
from setproctitle import setproctitle
from tradewind_airflow.operators.qa import QAConversionOperator
task_pid = os.fork()
if task_pid:
    print(task_pid, flush=True)
    os.waitpid(task_pid, 0)
    sys.exit()
setproctitle("airflow worker -- 0199")
ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", try_number=1)
operator = QAConversionOperator(task_id="t", recipe="tiny", data=sys.argv[1], seed=1, run_dir=sys.argv[2],
    env=json.loads(sys.argv[3]))
operator.execute({"ti": ti})
"""


def _writer(run_dir: Path) -> int | None:
    """The process that holds the run, as it says itself."""
    try:
        return int(json.loads((run_dir / ".lock").read_text(encoding="utf-8"))["pid"])
    except (OSError, ValueError):
        return None


def _stage_of(run_dir: Path) -> int:
    return int(wait_for(lambda: _writer(run_dir), "a stage at work"))


def _assert_ends(pidfd: int) -> None:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(DEADLINE * 1000), "the process is still alive"


@contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    fd = os.pidfd_open(pid)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _running(operator: QAConversionOperator, context: Context) -> Iterator[tuple[int, Future[Any]]]:
    """The task with its stage at work: the stage's pid, and what the task will return."""
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(operator.execute, context)
        try:
            yield _stage_of(Path(operator.run_dir)), outcome
        finally:
            operator.on_kill()


def _prepare(data: Path, run_dir: Path, **more: Any) -> QAConversionOperator:
    return QAConversionOperator(task_id="t", recipe="tiny", data=str(data), seed=1, run_dir=str(run_dir), **more)


@pytest.fixture
def busy(tmp_path: Path, long_work: Path) -> QAConversionOperator:
    """A task whose stage is at work for as long as a test needs."""
    env = waits_at(long_work) | {"COLOUR": "blue", "BOTH": "shown", "TRADEWIND_TASK_ID": "forged"}
    private = {"OPENAI_API_KEY": "sk-key-of-ours", "BOTH": "not-shown-1"}
    secrets = {"HF_TOKEN": ("env:ABSENT", "env:TOKEN_OF_OURS")}
    return _prepare(long_work, tmp_path, env=env, private_environment=private, secrets=secrets)


def test_on_kill_ends_the_stage(tmp_path: Path, busy: QAConversionOperator, context: Context) -> None:
    with _running(busy, context) as (pid, outcome), _pidfd(pid) as stage:
        busy.on_kill()
        _assert_ends(stage)
        with pytest.raises(AirflowException, match="killed by SIGTERM") as caught:
            outcome.result(DEADLINE)
    assert not isinstance(caught.value, AirflowFailException)
    assert not (tmp_path / "prepare").exists()


def test_a_stage_that_the_kernel_killed_says_what_is_likely_and_what_to_do(
    busy: QAConversionOperator, context: Context
) -> None:
    with _running(busy, context) as (pid, outcome):
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(AirflowException, match=r"^prepare: killed by SIGKILL, most likely because") as caught:
            outcome.result(DEADLINE)
    assert "give it more, or lower" in str(caught.value)
    assert not isinstance(caught.value, AirflowFailException)  # a retry may find room


def test_a_stage_that_had_to_be_killed_with_its_task_blames_no_memory() -> None:
    assert Ended(-signal.SIGKILL, ()).why(stopped=True) == "killed by SIGKILL"


def test_what_passes_by_itself_is_told_as_the_stage_says_it(tmp_path: Path, context: Context) -> None:
    with run_dir_lock(tmp_path, "finetune"), pytest.raises(AirflowException, match=r"^/.*: held by process") as caught:
        _prepare(SAMPLES, tmp_path).execute(context)
    assert not isinstance(caught.value, AirflowFailException)


def test_on_kill_is_harmless_before_and_after(tmp_path: Path, context: Context) -> None:
    operator = _prepare(SAMPLES, tmp_path)
    operator.on_kill()
    assert operator.execute(context)["status"] == "success"
    operator.on_kill()


@pytest.mark.parametrize("killed", ["task", "supervisor"])
def test_the_stage_ends_with_the_task_and_with_its_supervisor(tmp_path: Path, long_work: Path, killed: str) -> None:
    run_dir = tmp_path / "run"
    command = [sys.executable, "-c", _TASK, str(long_work), str(run_dir), json.dumps(waits_at(long_work))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as supervisor:
        try:
            assert supervisor.stdout is not None
            task_pid = int(supervisor.stdout.readline())
            with _pidfd(task_pid) as task, _pidfd(_stage_of(run_dir)) as stage:
                os.kill(task_pid if killed == "task" else supervisor.pid, signal.SIGKILL)
                _assert_ends(task)
                _assert_ends(stage)
        finally:
            supervisor.kill()


def _environment_of(pid: int) -> dict[str, str]:
    raw = Path(f"/proc/{pid}/environ").read_bytes().decode()
    return dict(entry.split("=", 1) for entry in raw.split("\0") if entry)


def test_what_the_stage_knows(
    busy: QAConversionOperator, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_out = ["AIRFLOW_CONN_MY_DB", "AIRFLOW_VAR_KEY", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__DATABASE__X",
                "_AIRFLOW_PROCESS_CONTEXT", "SLACK_TOKEN"]  # fmt: skip
    for name in kept_out:
        monkeypatch.setenv(name, "not-for-a-stage")
    monkeypatch.setenv("HTTPS_PROXY_OF_OURS", "kept")
    monkeypatch.setenv("TOKEN_OF_OURS", "hf-token-of-ours")
    monkeypatch.setenv("TRADEWIND_MODEL_CACHE", str(tmp_path / "cache"))
    with _running(busy, context) as (pid, _):
        environment = _environment_of(pid)
    assert "not-for-a-stage" not in environment.values()
    assert [name for name in environment if name.startswith(("AIRFLOW__", "AIRFLOW_CONN_", "SLACK_"))] == []
    expected = {
        "COLOUR": "blue",
        "BOTH": "not-shown-1",
        "HF_TOKEN": "hf-token-of-ours",
        "OPENAI_API_KEY": "sk-key-of-ours",
        "HTTPS_PROXY_OF_OURS": "kept",
        "TRADEWIND_JOB_ID": "trade_qa/manual__2026-11-20T02:00:00+00:00",
        "TRADEWIND_TASK_ID": "a_task/1",
        "HF_HOME": str(tmp_path / "cache"),
    }
    assert environment.items() >= expected.items()


@pytest.mark.parametrize(
    ("secret", "given"),
    [
        ("private-marker-4711", {"private_environment": {"HF_TOKEN": "private-marker-4711"}}),
        ("referred-marker-4712", {"secrets": {"HF_TOKEN": "env:TOKEN_OF_OURS"}}),
    ],
)
def test_a_secret_stays_out_of_fields_logs_result_and_files(
    tmp_path: Path, context: Context, events: list[Any], monkeypatch: pytest.MonkeyPatch, secret: str,
    given: dict[str, Any],
) -> None:  # fmt: skip
    monkeypatch.setenv("TOKEN_OF_OURS", secret)
    operator = _prepare(SAMPLES, tmp_path, **given)
    operator.render_template_fields(context)
    result = operator.execute(context)
    assert secret not in repr({field: getattr(operator, field) for field in operator.template_fields})
    assert events
    assert secret not in repr(events) + repr(operator) + json.dumps(result)
    assert redact(f"a log line with {secret}") == "a log line with ***"
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if secret.encode() in path.read_bytes()]
