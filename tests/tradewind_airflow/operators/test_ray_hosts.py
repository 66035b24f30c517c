"""Stages on the hosts of a real Ray cluster, each with a network of its own, which loses one of them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import ray_cluster
import ray_hosts
from documents import rows
from processes import stage_process
from ray_hosts import CABLE, Hosts
from ray_tasks import BOUND, RUN, connect, losses, own, prepare, run_alone
from tries import Try, wait_for

pytestmark = pytest.mark.slow
OVERRIDES = {"finetune.num_train_epochs": 3, "finetune.logging_steps": 1, "finetune.save_steps": 3}


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    """Two, for one worker each."""
    why = ray_cluster.missing()
    if why:
        pytest.skip(why)
    with ray_hosts.started(2) as hosts:
        yield hosts


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that one process trained, without Ray."""
    run_dir = prepare(tmp_path_factory.mktemp("alone") / "run")
    run_alone("finetune", run_dir, OVERRIDES)
    return run_dir


def _checkpoint_after(run_dir: Path, step: int) -> Callable[[], int]:
    """The step of a whole checkpoint beyond `step`; 0 while there is none."""
    folder = run_dir / ".finetune.work/checkpoints"

    def newest() -> int:
        found = [int(mark.parent.name.rpartition("-")[2]) for mark in folder.glob("checkpoint-*/verified.json")]
        return next((number for number in sorted(found, reverse=True) if number > step), 0)

    return newest


def test_a_training_on_two_hosts_outlives_its_own_process_and_one_of_them(
    hosts: Hosts, alone: Path, attempt: Callable[..., Try], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes to the losses of one process without Ray, and leaves nothing running."""
    from tradewind_airflow.operators.ray_stage import RayFinetuneOperator

    connect(monkeypatch, hosts.ray.port)
    run_dir = Path(shutil.copytree(alone, tmp_path / "run", ignore=shutil.ignore_patterns("finetune")))
    operator = RayFinetuneOperator(
        task_id="finetune", **RUN, seed=42, overrides=OVERRIDES, run_dir=str(run_dir), python=sys.executable,
        cluster={"nodes": 2, "gpus": 0}, env={"GLOO_SOCKET_IFNAME": CABLE},
    )  # fmt: skip

    first = attempt(operator)
    wait_for(_checkpoint_after(run_dir, 0), "a checkpoint", 180)
    assert [len(host.workers()) for host in hosts.there] == [1, 1]
    at_work = hosts.ray.workers()
    stage = stage_process("finetune", run_dir)
    assert stage is not None
    stage.kill()
    told = first.outcome()
    assert (told["error"], "SIGKILL" in told["text"]) == ("AirflowException", True), told
    assert psutil.wait_procs(at_work, timeout=30)[1] == []

    kept = _checkpoint_after(run_dir, 0)()
    second = attempt(operator, 2)
    kept = wait_for(_checkpoint_after(run_dir, kept), "one more checkpoint", 180)
    assert [len(host.workers()) for host in hosts.there] == [1, 1]
    hosts.there[1].lose()
    hosts.add(1)
    wait_for(hosts.there[2].workers, "a worker on the new host", 180)
    result = second.outcome(240)["result"]

    assert result["status"] == "success"
    assert result["resumed_from_step"] >= kept
    assert losses(run_dir) == pytest.approx(losses(alone), abs=BOUND)
    assert [job["status"] for job in own(hosts.ray, run_dir)] == ["FAILED", "SUCCEEDED"]
    wait_for(lambda: not hosts.ray.workers(), "the workers' end", 30)
    assert stage_process("finetune", run_dir) is None


def test_answers_by_two_hosts_are_those_of_one_process(
    hosts: Hosts, alone: Path, attempt: Callable[..., Try], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that the baseline has made are there for the evaluation, under the nodes' own name for the folder."""
    from tradewind_airflow.operators.ray_stage import RayBaselineOperator, RayEvaluateOperator

    connect(monkeypatch, hosts.ray.port)
    home, as_nodes_say = tmp_path / "home", tmp_path / "nodes"
    monkeypatch.setenv("TRADEWIND_HOME", str(home))
    run_dir = Path(shutil.copytree(alone, home / "runs/trade_qa/manual__1"))
    as_nodes_say.symlink_to(home)
    short = OVERRIDES | {"evaluate.max_new_tokens": 12}
    settings: dict[str, Any] = {
        **RUN, "seed": 42, "overrides": short, "run_dir": str(run_dir), "python": sys.executable,
        "cluster": {"nodes": 2, "gpus": 0}, "paths": {str(home): str(as_nodes_say)},
    }  # fmt: skip

    baseline = attempt(RayBaselineOperator(task_id="baseline", **settings))
    both = [host for host in hosts.there if host.is_up]
    wait_for(lambda: [len(host.workers()) for host in both] == [1, 1], "a worker on each host", 120)
    made = baseline.outcome(240)["result"]["metrics"]
    assert made["generated"] == made["answers"] > 40
    evaluated = attempt(RayEvaluateOperator(task_id="evaluate", **settings)).outcome(240)["result"]["metrics"]
    assert evaluated["generated"] == {"base": 0, "tuned": made["answers"]}

    by_hosts = rows(run_dir / "evaluate/predictions.jsonl")
    shutil.rmtree(run_dir / "evaluate")
    run_alone("evaluate", run_dir, short, TRADEWIND_ANSWERS=str(tmp_path / "answers"))
    by_one = rows(run_dir / "evaluate/predictions.jsonl")
    assert [row["answers"] for row in by_hosts] == [row["answers"] for row in by_one]
    assert len({row["answers"]["tuned"] for row in by_one}) > 5
    assert [row["scores"] for row in by_hosts] == [row["scores"] for row in by_one]
