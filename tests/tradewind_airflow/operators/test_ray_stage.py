"""A training as a job of a real Ray cluster: followed, found again, stopped with its task, and what goes wrong."""

from __future__ import annotations

import json
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout

import ray_cluster
from ray_cluster import TOKEN, Ray
from ray_tasks import BOUND, RUN, connect, losses, own, prepare, run_alone
from tries import FileStore, Try, context_of, wait_for

pytestmark = pytest.mark.slow
Make = Callable[..., Any]
Start = Callable[..., Try]
_LINES = 150


@pytest.fixture(scope="module")
def ray() -> Iterator[Ray]:
    why = ray_cluster.missing()
    if why:
        pytest.skip(why)
    with ray_cluster.started(GLOO_SOCKET_IFNAME="lo") as ray:
        yield ray


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run up to the stage before the training."""
    return prepare(tmp_path_factory.mktemp("prepared") / "run")


@pytest.fixture
def training(ray: Ray, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make a short fine-tuning a task on the cluster."""
    from tradewind_airflow.operators.ray_stage import RayFinetuneOperator

    connect(monkeypatch, ray.port)
    shutil.copytree(prepared, tmp_path / "run")

    def make(**changes: Any) -> RayFinetuneOperator:
        settings: dict[str, Any] = {
            "task_id": "finetune", **RUN, "seed": 42,
            "overrides": {"finetune.num_train_epochs": 0.2}, "run_dir": str(tmp_path / "run"), "python": sys.executable,
            "cluster": {"nodes": 1, "gpus": 0},
        }  # fmt: skip
        return RayFinetuneOperator(**settings | changes)

    return make


class Gate:
    """A program in Python's place that says numbered lines, waits at a gate, says as many more, and goes on."""

    def __init__(self, folder: Path, goes_on: str) -> None:
        self._open = folder / "gate"
        self.program = folder / "gated"
        self.program.write_text(
            f"#!/bin/bash\nfor n in $(seq {_LINES}); do echo INFO line $n; done; env\n"
            f"until [ -e {self._open} ]; do sleep 0.1; done\n"
            f"for n in $(seq {_LINES + 1} {2 * _LINES}); do echo WARNING line $n; done\n"
            f"{goes_on}\n"
        )
        self.program.chmod(0o755)

    def open(self) -> None:
        self._open.touch()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """It ends with what passes by itself."""
    return Gate(tmp_path, "echo tradewind: enough; exit 75")


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Start]:
    begun: list[Try] = []

    def start(operator: Any, number: int = 1, *, cleared: int = 0, state: str = "") -> Try:
        """One try; `state`: what Airflow says of the task, which then has a retry left."""
        context = context_of(tmp_path / "store", number, cleared, "finetune")
        if state:
            ti = context["ti"]
            ti.max_tries, ti.get_task_states = 1, lambda **_: {ti.run_id: {"finetune": state}}
        begun.append(Try(operator, context, tmp_path))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.is_alive():
            one.kill()


def _numbers(*tries: Try) -> list[int]:
    said = [line for one in tries for line in one.lines()]
    return [int(found[1]) for line in said if (found := re.fullmatch(r"line (\d+)", line))]


def _at_the_gate(one: Try) -> Callable[[], bool]:
    return lambda: len(_numbers(one)) == _LINES


def _refused(operator: Any, tmp_path: Path, words: str, *, retried: bool = False) -> str:
    """The one line with which the task fails."""
    with pytest.raises(AirflowException, match=words) as caught:
        operator.execute(context_of(tmp_path / "store", task_id="finetune"))
    assert isinstance(caught.value, AirflowFailException) is not retried
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    return str(caught.value)


def test_a_training_outlives_its_supervisor_and_one_of_its_workers(
    ray: Ray, training: Make, prepared: Path, attempt: Start, tmp_path: Path
) -> None:
    """One job in all, each line once, the losses of one process without Ray, and the token nowhere."""
    shutil.copytree(prepared, tmp_path / "alone/run")
    gate = Gate(tmp_path, f'exec {sys.executable} "$@"')
    settings = {"num_train_epochs": 2, "logging_steps": 1, "save_steps": 3}
    overrides = {f"finetune.{name}": value for name, value in settings.items()}
    operator = training(python=str(gate.program), cluster={"nodes": 2, "gpus": 0}, overrides=overrides)
    first = attempt(operator)
    wait_for(_at_the_gate(first), "the job's first lines")
    first.kill()
    second = attempt(operator, 2)
    wait_for(lambda: any("Reconnecting" in line for line in second.lines()), "the retry at the job")
    gate.open()
    checkpoint = tmp_path / "run/.finetune.work/checkpoints/checkpoint-3/verified.json"
    wait_for(checkpoint.exists, "a checkpoint", 300)
    ray.workers()[-1].kill()
    run_alone("finetune", tmp_path / "alone/run", overrides)
    result = second.outcome(240)["result"]
    assert (result["status"], result["task_id"]) == ("success", "finetune/1")
    assert result["resumed_from_step"] >= 3
    assert any(f"finetune: resume from checkpoint-{result['resumed_from_step']}" in line for line in second.lines())
    assert losses(tmp_path / "run") == pytest.approx(losses(tmp_path / "alone/run"), abs=BOUND)
    assert _numbers(first, second) == list(range(1, 2 * _LINES + 1))
    (job,) = own(ray, tmp_path / "run")
    assert job["status"] == "SUCCEEDED"
    assert job["submission_id"].endswith("-0-1")
    assert FileStore(tmp_path / "store").get("tradewind_ray_job") is None
    assert not list((tmp_path / "run").rglob("ray"))  # Ray Train's own folder
    assert TOKEN not in json.dumps(job)
    assert any("RAY_AUTH_TOKEN=[secret]" in line for line in first.lines())  # the job's own print of its environment
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert TOKEN.encode() not in file.read_bytes(), file


def test_a_job_ends_with_its_task(ray: Ray, training: Make, gate: Gate, attempt: Start, tmp_path: Path) -> None:
    one = attempt(training(python=str(gate.program)), state="failed")
    wait_for(_at_the_gate(one), "the job's first lines")
    one.terminate()
    assert "stopped with its task" in one.outcome()["text"]
    assert [job["status"] for job in own(ray, tmp_path / "run")] == ["STOPPED"]


def test_a_job_is_left_to_the_retry_where_only_the_worker_ends(
    ray: Ray, training: Make, gate: Gate, attempt: Start, tmp_path: Path
) -> None:
    one = attempt(training(python=str(gate.program)), state="running")
    wait_for(_at_the_gate(one), "the job's first lines")
    one.terminate()
    assert "a retry follows it" in one.outcome()["text"]
    assert [job["status"] for job in own(ray, tmp_path / "run")] == ["RUNNING"]


def test_a_cleared_task_ends_the_job_of_before_and_has_a_new_one(
    ray: Ray, training: Make, gate: Gate, attempt: Start, tmp_path: Path
) -> None:
    first = attempt(training(python=str(gate.program)))
    wait_for(_at_the_gate(first), "the job's first lines")
    first.kill()
    second = attempt(training(python=str(gate.program)), 2, cleared=1)
    wait_for(_at_the_gate(second), "the new job's first lines")
    jobs = own(ray, tmp_path / "run")
    assert [(job["submission_id"][-4:], job["status"]) for job in jobs] == [("-0-1", "STOPPED"), ("-1-1", "RUNNING")]


def test_a_job_is_followed_over_a_while_without_its_cluster(
    ray: Ray, training: Make, gate: Gate, attempt: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ray_cluster.door(ray) as port:
        connect(monkeypatch, port)
        one = attempt(training(python=str(gate.program)))
        wait_for(_at_the_gate(one), "the job's first lines")
    wait_for(
        lambda: any("waiting up to 600 s for it" in line for line in one.lines()), "word of a cluster that is away"
    )
    gate.open()
    with ray_cluster.door(ray, port):
        assert one.outcome()["text"] == "enough"
    assert _numbers(one) == list(range(1, 2 * _LINES + 1))


def test_a_task_that_took_too_long_leaves_no_job(
    ray: Ray, training: Make, gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Airflow's runner goes about it: `on_kill` while the timeout is under way."""
    operator = training(python=str(gate.program))

    def too_long(_: str) -> None:
        with suppress(AirflowTaskTimeout), ExitStack() as ending:
            ending.callback(operator.on_kill)
            raise AirflowTaskTimeout("too long")

    monkeypatch.setattr("tradewind_airflow.operators.ray_stage.log_line", lambda _, line: too_long(line))
    context = context_of(tmp_path / "store", task_id="finetune")
    context["ti"].max_tries, context["ti"].get_task_states = 1, lambda **_: {"manual__1": {"finetune": "running"}}
    with pytest.raises(AirflowException, match="stopped with its task"):
        operator.execute(context)
    assert [job["status"] for job in own(ray, tmp_path / "run")] == ["STOPPED"]


def test_a_job_that_is_stopped_from_outside_is_not_tried_again(
    ray: Ray, training: Make, gate: Gate, attempt: Start, tmp_path: Path
) -> None:
    one = attempt(training(python=str(gate.program)))
    wait_for(_at_the_gate(one), "the job's first lines")
    ray.stop(own(ray, tmp_path / "run")[0]["submission_id"])
    outcome = one.outcome()
    assert outcome["error"] == "AirflowFailException"
    assert "stopped from outside" in outcome["text"]
    assert not (tmp_path / "run/finetune").exists()


def test_a_retry_after_a_job_that_failed_has_a_job_of_its_own(
    ray: Ray, training: Make, gate: Gate, attempt: Start, tmp_path: Path
) -> None:
    gate.open()
    for number in (1, 2):
        one = attempt(training(python=str(gate.program)), number)
        assert one.outcome() == {"error": "AirflowException", "text": "enough"}
    jobs = own(ray, tmp_path / "run")
    assert [(job["submission_id"][-4:], job["status"]) for job in jobs] == [("-0-1", "FAILED"), ("-0-2", "FAILED")]


def test_what_the_user_has_to_mend_is_told_as_the_stage_says_it(training: Make, tmp_path: Path) -> None:
    operator = training()
    shutil.rmtree(tmp_path / "run/prepare")
    told = _refused(operator, tmp_path, "run the stage 'prepare' first")
    assert str(tmp_path / "run/prepare") in told


@pytest.mark.parametrize(
    ("program", "words"),
    [("/nowhere/python", "cannot run the stage"), ("/usr/bin/python3", "holds no `tradewind`")],
)
def test_a_cluster_whose_python_cannot_run_it(training: Make, tmp_path: Path, program: str, words: str) -> None:
    assert "install it" in _refused(training(python=program, env={"PYTHONPATH": "/nowhere"}), tmp_path, words)


def test_a_job_that_ends_well_without_a_result_here(
    training: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradewind_airflow.operators.ray_stage._RESULT_LIMIT", 0.0)
    assert "`paths`" in _refused(training(python="true"), tmp_path, "the Ray job ended well")


def test_a_wrong_token(ray: Ray, training: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, ray.port, "another-token")
    assert "another-token" not in _refused(training(), tmp_path, "refuses the token")


def test_no_token(ray: Ray, training: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, ray.port, None)
    _refused(training(), tmp_path, "asks for a token")


def test_no_connection(training: Make, tmp_path: Path) -> None:
    _refused(training(ray_conn_id="nobody"), tmp_path, "connection 'nobody': there is none")


def test_no_cluster(training: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, 1)
    assert "127.0.0.1:1" in _refused(training(), tmp_path, "does not answer", retried=True)


class _SomethingElse(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>welcome")

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_an_address_that_is_no_ray_cluster(training: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _SomethingElse) as server:
        threading.Thread(target=server.serve_forever).start()
        connect(monkeypatch, server.server_port)
        _refused(training(), tmp_path, "not as a Ray cluster's dashboard does")
        server.shutdown()
