"""The shipped DAG over Celery: a worker for each queue, and the one that trains is lost on the way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

import redis_server
import stack as stacks
from airflow_stack.site import ENDED, SiteHome
from documents import REPOSITORY, SAMPLES
from processes import stage_process
from stack import Stack
from tradewind.run_dir import RunDir, run_path
from tradewind_airflow.local.run import DAG_ID, DagRun, set_paused, trigger
from tries import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ON_GPU_QUEUE = {"baseline", "adapt", "finetune", "evaluate"}
# Fine-tuning goes on while the baseline answers, and for some time after that.
RECIPE = """
adapt: {enabled: false}
finetune: {num_train_epochs: 10, per_device_train_batch_size: 16, gradient_accumulation_steps: 1, max_length: 256,
           save_steps: 5, logging_steps: 1}
evaluate: {encoder: "embedded:all-MiniLM-L6-v2", max_new_tokens: 8}
"""
# As a site may decide for all its DAGs: the shipped one waits a minute before it tries again.
POLICY = """
from datetime import timedelta

def task_policy(task):
    task.retry_delay = timedelta(seconds=1)
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Redis]]:
    if why := redis_server.missing():
        pytest.skip(why)
    with redis_server.redis(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest.fixture(scope="module")
def stack(broker: tuple[str, Redis], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if stacks.postgres_programs() is None:
        pytest.skip("Postgres is not installed")
    home = SiteHome(REPOSITORY, tmp_path_factory.mktemp("home"))
    home.password()
    (home.airflow / "config").mkdir()
    (home.airflow / "config" / "airflow_local_settings.py").write_text(POLICY, encoding="utf-8")
    with ExitStack() as opened:
        database = opened.enter_context(stacks.postgres())
        settings = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": broker[0],
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
            "TRADEWIND_GPU_QUEUE": "gpu",
            "TRADEWIND_CPU_QUEUE": "cpu",
        }
        stack = Stack(home, database, settings)
        stack.run("db", "migrate")
        opened.callback(stack.stop)
        _start_worker(stack, "cpu-1", "cpu,default")
        _start_worker(stack, "gpu-1", "gpu")
        opened.enter_context(stacks.up(stack))
        yield stack


def _start_worker(stack: Stack, name: str, queues: str) -> None:
    """A worker whose tasks Airflow shows under its name: all of these are on one host, and it keeps the user's name."""
    command = ["celery", "worker", "--queues", queues, "--celery-hostname", f"{name}@%h", "--concurrency", "2"]
    stack.start(name, *command, "--skip-serve-logs", "--without-mingle", "--without-gossip", LOGNAME=name)


def _task(run: DagRun, task_id: str) -> dict[str, Any]:
    return next(task for task in run.tasks() if task["task_id"] == task_id)


def _steps(stack: Stack, run: DagRun, attempt: int) -> list[int]:
    """The steps of fine-tuning that stand in the log of one try."""
    folder = stack.home.airflow / "logs" / f"dag_id={DAG_ID}" / f"run_id={run.run_id}" / "task_id=finetune"
    lines = (folder / f"attempt={attempt}.log").read_text(encoding="utf-8").splitlines()
    return [int(step[1]) for line in lines if (step := re.search(r"finetune: step (\d+)/", line))]


def test_a_lost_gpu_workers_training_is_resumed_by_another_of_its_queue(
    stack: Stack, broker: tuple[str, Redis], tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    set_paused(stack.server, False)
    run = trigger(stack.server, {"recipe": str(recipe), "data": str(SAMPLES["ko"]), "seed": 7})
    run_dir = run_path(stack.home.path, DAG_ID, run.run_id)
    checkpoints = run_dir / ".finetune.work" / "checkpoints"
    wait_for(lambda: any(checkpoints.glob("*/verified.json")), "a verified checkpoint of finetune", 240)
    wait_for(lambda: _task(run, "baseline")["state"] == "success", "the baseline is over")
    training = wait_for(lambda: stage_process("finetune", run_dir), "finetune trains")
    killed = stack.kill("gpu-1")
    assert any("finetune" in title for title in killed), killed
    wait_for(lambda: not training.is_running(), "the training ended with its worker")
    assert not RunDir(run_dir).result_file("finetune").exists()
    _start_worker(stack, "gpu-2", "gpu")
    wait_for(lambda: run.state() in ENDED, f"{run.run_id} has ended; see {stack.home.airflow}", 300)

    tasks = {task["task_id"]: task for task in run.tasks()}
    expected = dict.fromkeys(tasks, "success") | dict.fromkeys(
        ("extract", "adapt", "approve", "promote", "announce", "notify", "tell_promotion"), "skipped"
    )
    assert {name: task["state"] for name, task in tasks.items()} == expected
    # Who did what: only a worker of a task's queue did it, and only the lost one's task was done again.
    ran = {name: task for name, task in tasks.items() if task["unixname"] not in (None, "") and task["pid"]}
    assert {"configure", "prepare", "report", "register", "notify"} | ON_GPU_QUEUE <= set(ran)
    for name, task in ran.items():
        assert task["queue"] == ("gpu" if name in ON_GPU_QUEUE else "cpu"), name
        assert task["try_number"] == (2 if name == "finetune" else 1), name
    who = {name: task["unixname"] for name, task in ran.items()}
    after = dict.fromkeys(("finetune", "evaluate"), "gpu-2")
    assert who == {name: "gpu-1" if name in ON_GPU_QUEUE else "cpu-1" for name in who} | after
    tries = stack.server.get(f"/dags/{DAG_ID}/dagRuns/{run.run_id}/taskInstances/finetune/tries").json()
    lost = next(one for one in tries["task_instances"] if one["try_number"] == 1)
    assert (lost["unixname"], lost["queue"], lost["state"]) == ("gpu-1", "gpu", "failed")

    result = RunDir(run_dir).result("finetune")
    assert result.task_id == "finetune/2"
    resumed = result.resumed_from_step or 0
    assert resumed >= 5
    first, second = _steps(stack, run, 1), _steps(stack, run, 2)
    assert first == list(range(1, len(first) + 1))
    assert second == list(range(resumed + 1, result.metrics["steps"] + 1))
    assert 0 < len(first) < result.metrics["steps"]
    value = stacks.xcom(stack.server, f"/dags/{DAG_ID}/dagRuns/{run.run_id}/taskInstances/finetune").json()["value"]
    assert (value if isinstance(value, dict) else json.loads(value)) == result.model_dump(mode="json")
    assert [broker[1].llen(queue) for queue in ("gpu", "cpu", "default")] == [0, 0, 0]
