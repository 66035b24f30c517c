"""The shipped DAG over Celery: a worker for each queue, and the one that trains is lost on the way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

import redis_server
import stack as stacks
from celery_stack import celery_stack, check_who_did_what, run_that_loses_a_worker
from stack import Stack
from tradewind.run_dir import RunDir, run_path
from tradewind_airflow.local.run import DAG_ID, DagRun

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


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
    with celery_stack(broker[0], tmp_path_factory.mktemp("home")) as found:
        yield found


def _steps(stack: Stack, run: DagRun, attempt: int) -> list[int]:
    """The steps of fine-tuning that stand in the log of one try."""
    folder = stack.home.airflow / "logs" / f"dag_id={DAG_ID}" / f"run_id={run.run_id}" / "task_id=finetune"
    lines = (folder / f"attempt={attempt}.log").read_text(encoding="utf-8").splitlines()
    return [int(step[1]) for line in lines if (step := re.search(r"finetune: step (\d+)/", line))]


def test_a_lost_gpu_workers_training_is_resumed_by_another_of_its_queue(
    stack: Stack, broker: tuple[str, Redis], tmp_path: Path
) -> None:
    run = run_that_loses_a_worker(stack, stack.home.path, tmp_path / "recipe.yaml")
    check_who_did_what(run)
    tries = stack.server.get(f"/dags/{DAG_ID}/dagRuns/{run.run_id}/taskInstances/finetune/tries").json()
    lost = next(one for one in tries["task_instances"] if one["try_number"] == 1)
    assert (lost["unixname"], lost["queue"], lost["state"]) == ("gpu-1", "gpu", "failed")

    result = RunDir(run_path(stack.home.path, DAG_ID, run.run_id)).result("finetune")
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
