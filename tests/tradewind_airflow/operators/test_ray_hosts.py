"""A training on the hosts of a real Ray cluster, each with a network of its own, which loses one of them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import ray_cluster
import ray_hosts
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
    from tradewind_airflow.operators.ray_training import RayFinetuneOperator

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
