"""The shipped DAG with every stage in a container of `make images`, on Postgres and a real scheduler."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

import stack as stacks
from engine import Engine
from stack import Stack
from tradewind.files import sha256_of
from tradewind.run_dir import RunDir, run_path
from tradewind_airflow.local.home import LocalHome
from tradewind_airflow.local.run import DAG_ID, DagRun, set_paused, trigger
from trainer_image import make_images
from tries import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
REPOSITORY = Path(__file__).parents[2]
_SHORT = "num_train_epochs: 1, per_device_train_batch_size: 16, gradient_accumulation_steps: 1, max_length: 256"
QUICK = f"""
adapt: {{{_SHORT}}}
finetune: {{{_SHORT}}}
evaluate: {{encoder: "embedded:all-MiniLM-L6-v2", max_new_tokens: 32}}
"""
# A fine-tuning that is still under way when the retry comes, some 80 s after its worker was lost.
LONG = """
adapt: {enabled: false}
finetune: {num_train_epochs: 36, per_device_train_batch_size: 16, gradient_accumulation_steps: 1, max_length: 256,
           save_steps: 20, logging_steps: 5}
evaluate: {encoder: "embedded:all-MiniLM-L6-v2", max_new_tokens: 16}
"""


@pytest.fixture(scope="module")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_images(engine, tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def stack(engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if stacks.postgres_programs() is None:
        pytest.skip("Postgres is not installed")
    folder = tmp_path_factory.mktemp("production")
    with ExitStack() as opened:
        patch = opened.enter_context(pytest.MonkeyPatch.context())
        for name in ("SLACK_TOKEN", "HF_TOKEN", "OPENAI_API_KEY", "TRADEWIND_MODEL_CACHE"):
            patch.delenv(name, raising=False)
        settings = {
            "TRADEWIND_HOME": str(folder / "home"), "TRADEWIND_IMAGE": image, "DOCKER_HOST": engine.host,
            "TRADEWIND_GPUS": "0,1", "TRADEWIND_TASK_GPUS": "1", "TRADEWIND_GPU_POOL": "tradewind_gpus",
            "TRADEWIND_LEASE_DIR": str(folder / "leases"),
            "TRADEWIND_MOUNT_ROOTS": str(REPOSITORY / "include" / "tradewind" / "samples"),
        }  # fmt: skip
        for name, value in settings.items():
            patch.setenv(name, value)
        database = opened.enter_context(stacks.postgres())
        stack = opened.enter_context(stacks.started(LocalHome(REPOSITORY), database))
        stack.run("pools", "set", "tradewind_gpus", "2", "one slot a GPU")
        set_paused(stack.server, False)
        yield stack


@pytest.fixture
def begin(stack: Stack, engine: Engine, tmp_path: Path) -> Iterator[Callable[[str], DagRun]]:
    """Trigger a run of a recipe's text; a run that still goes on afterwards is ended."""
    begun: list[DagRun] = []

    def start(recipe: str) -> DagRun:
        path = tmp_path / "recipe.yaml"
        path.write_text(recipe, encoding="utf-8")
        data = REPOSITORY / "include" / "tradewind" / "samples" / "ko"
        # Anew each time: what these tests are about is containers that run.
        begun.append(trigger(stack.server, {"recipe": str(path), "data": str(data), "seed": 7, "force": True}))
        return begun[-1]

    yield start
    for run in begun:
        wait_for(lambda: _is_over(run), "the run is ended")  # noqa: B023 - called at once
    wait_for(lambda: not engine.containers(), "its containers are gone")


def _is_over(run: DagRun) -> bool:
    """End a run that still goes on; Postgres may refuse for a moment while the scheduler looks at it."""
    if run.state() not in ("success", "failed"):
        with suppress(httpx.HTTPStatusError):
            run.fail()
        return False
    return True


def _path(run: DagRun, task_id: str) -> str:
    return f"/dags/{DAG_ID}/dagRuns/{run.run_id}/taskInstances/{task_id}"


def _run_dir(stack: Stack, run: DagRun) -> RunDir:
    return RunDir(run_path(stack.home.path, DAG_ID, run.run_id))


def _log_file(stack: Stack, run: DagRun, task_id: str, attempt: int) -> Path:
    return stack.home.airflow / f"logs/dag_id={DAG_ID}/run_id={run.run_id}/task_id={task_id}/attempt={attempt}.log"


def _log(stack: Stack, run: DagRun, task_id: str, attempt: int) -> list[str]:
    path = _log_file(stack, run, task_id, attempt)
    if not path.exists():
        return []
    return [json.loads(line)["event"] for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def _training(engine: Engine, run: DagRun) -> dict[str, Any] | None:
    """The container of the run's fine-tuning, once it trains."""
    for found in engine.containers(status="running"):
        if found["Labels"]["tradewind.job"] != f"{DAG_ID}/{run.run_id}":
            continue
        if "finetune/" in found["Labels"]["tradewind.task"] and b": step " in engine.cli.logs(found["Id"]):
            return dict(found)
    return None


def _only_task(stack: Stack) -> int | None:
    """The process of the one task at work."""
    found = stack.pids("scheduler", r"airflow worker -- \w{8}-")
    return found[0] if len(found) == 1 else None


def _is_gone(engine: Engine, container: dict[str, Any]) -> bool:
    return container["Id"] not in [found["Id"] for found in engine.containers()]


def test_the_scores_are_those_of_the_same_stages_without_containers(
    stack: Stack, engine: Engine, begin: Callable[[str], DagRun], tmp_path: Path
) -> None:
    run = begin(QUICK)
    wait_for(lambda: run.state() in ("success", "failed"), "the run has ended", 600)
    states = {task["task_id"]: task["state"] for task in run.tasks()}
    stages = ("prepare", "baseline", "adapt", "finetune", "evaluate", "report")
    assert states == dict.fromkeys(("configure", "shards", *stages, "register", "end"), "success") | dict.fromkeys(
        ("extract", "approve", "promote", "announce", "notify", "tell_promotion"), "skipped"
    )
    assert engine.containers() == []
    made = _run_dir(stack, run).path
    for stage in stages:
        assert any(" started" in line for line in _log(stack, run, stage, 1)), stage
        assert (json.loads((made / stage / "result.json").read_text())["job_id"]) == f"{DAG_ID}/{run.run_id}"
    assert {task["task_id"]: task["pool"] for task in run.tasks()} == dict.fromkeys(
        states.keys() - {"baseline", "adapt", "finetune", "evaluate"}, "default_pool"
    ) | dict.fromkeys(("baseline", "adapt", "finetune", "evaluate"), "tradewind_gpus")
    beside = tmp_path / "beside"
    beside.mkdir()
    (beside / "config.json").write_bytes((made / "config.json").read_bytes())
    for stage in stages[:-1]:
        command = [sys.executable, "-m", "tradewind", stage, "--run-dir", str(beside)]
        subprocess.run(command, check=True, capture_output=True)
    for name in ("prepare/train.jsonl", "finetune/model/model.safetensors", "evaluate/scores.json"):
        assert sha256_of(made / name) == sha256_of(beside / name), name


def test_a_training_goes_on_without_its_worker_and_the_retry_follows_it_to_its_end(
    stack: Stack, engine: Engine, begin: Callable[[str], DagRun]
) -> None:
    run = begin(LONG)
    before = wait_for(lambda: _training(engine, run), "fine-tuning", 300)
    killed = stack.kill("scheduler")
    # The scheduler, LocalExecutor's process that supervised the task, and the task's own.
    for title in ("airflow scheduler", r"airflow worker -- LocalExecutor: \w+-", r"airflow worker -- \w{8}-"):
        assert any(re.search(title, one) for one in killed), killed
    seen = len(engine.cli.logs(before["Id"]))
    wait_for(lambda: len(engine.cli.logs(before["Id"])) > seen, "it trains on with nobody there")
    stack.start("scheduler")
    wait_for(lambda: "Reconnecting to existing job" in _log(stack, run, "finetune", 2), "a second try", 240)
    after = _training(engine, run)
    assert after is not None
    print(f"container before the kill: {before['Id']}\ncontainer of the retry:    {after['Id']}")
    assert after["Id"] == before["Id"]
    wait_for(lambda: run.state() in ("success", "failed"), "the run has ended", 600)
    assert run.state() == "success"
    assert engine.containers() == []
    result = _run_dir(stack, run).result("finetune")
    assert (result.task_id, result.resumed_from_step) == ("finetune/1", None)
    steps = [
        [int(found[1]) for line in _log(stack, run, "finetune", attempt) if (found := re.search(r"step (\d+)/", line))]
        for attempt in (1, 2)
    ]
    assert steps[0]
    assert steps[1]
    assert steps[0] + steps[1] == list(range(5, result.metrics["steps"] + 1, 5))  # none lost, none twice
    value = stacks.xcom(stack.server, _path(run, "finetune")).json()["value"]
    assert (value if isinstance(value, dict) else json.loads(value)) == result.model_dump(mode="json")


def test_a_training_goes_on_when_its_worker_is_told_to_end(
    stack: Stack, engine: Engine, begin: Callable[[str], DagRun]
) -> None:
    """As a service manager does on a restart: SIGTERM to each of the worker's processes."""
    run = begin(LONG)
    before = wait_for(lambda: _training(engine, run), "fine-tuning", 300)
    os.kill(wait_for(lambda: _only_task(stack), "the baseline is over"), signal.SIGTERM)
    wait_for(lambda: "a retry follows it" in _log_file(stack, run, "finetune", 1).read_text(), "the task ends")
    wait_for(lambda: "Reconnecting" in str(_log(stack, run, "finetune", 2)) or "taking over" in str(_log(
        stack, run, "finetune", 2)), "a second try", 240)  # fmt: skip
    after = _training(engine, run)
    assert after is not None
    assert after["Id"] == before["Id"]


@pytest.mark.parametrize("state", ["failed", "skipped"])
def test_a_task_that_is_cleared_or_marked_leaves_no_container(
    stack: Stack, engine: Engine, begin: Callable[[str], DagRun], state: str
) -> None:
    run = begin(LONG)
    first = wait_for(lambda: _training(engine, run), "fine-tuning", 300)
    began, since = time.monotonic(), int(time.time())
    body = {"dry_run": False, "task_ids": ["finetune"], "dag_run_id": run.run_id, "only_failed": False,
            "include_downstream": False}  # fmt: skip
    stack.server.send("POST", f"/dags/{DAG_ID}/clearTaskInstances", body)
    wait_for(lambda: _is_gone(engine, first), "the first try's container is gone")
    assert time.monotonic() - began < 5
    second = wait_for(lambda: _training(engine, run), "the second try trains", 120)
    assert second["Labels"]["tradewind.task"] == "finetune/2"
    events = [
        (event["Action"], event["Actor"]["ID"])
        for event in engine.cli.events(since=since, until=int(time.time()) + 1, decode=True)
        if event["Type"] == "container"
    ]
    assert events.index(("destroy", first["Id"])) < events.index(("create", second["Id"]))
    began = time.monotonic()
    stack.server.send("PATCH", _path(run, "finetune"), {"new_state": state})
    wait_for(lambda: _is_gone(engine, second), "the marked task's container is gone")
    assert time.monotonic() - began < 5
    # What stands there may be an earlier run's result in the place of a skipped one's, but none that this try made.
    there = _run_dir(stack, run).result_file("finetune")
    assert not there.exists() or _run_dir(stack, run).result("finetune").status == state == "skipped"
