"""Stages and anyone's images in real containers, with a home in a bucket and workers that share nothing else."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

import engine as engines
from bucket_server import BUCKET, FaultyProxy, keys
from container_fixtures import MakeStage, StartTry
from engine import Engine
from published import RUN, tree
from shared_home import Worker
from tradewind.results import read_result
from tradewind.store.manifest import mark_of
from tries import context_of, wait_for

pytestmark = pytest.mark.slow
ADDRESS = f"s3://{BUCKET}/home"
QUICK = {
    "data.max_records": 16, "adapt.enabled": False, "finetune.num_train_epochs": 1, "finetune.max_length": 128,
    "finetune.per_device_train_batch_size": 16, "finetune.gradient_accumulation_steps": 1,
}  # fmt: skip
WAITING = (
    "echo at work; until [ -e /pipeline/input1/go ]; do sleep 0.1; done; echo $TRADEWIND_TASK_ID > /pipeline/outputs/o"
)
MakeTask = Callable[..., Any]


@pytest.fixture
def machine(in_containers: Engine, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Be the worker of this name from now on; gives its folder of the home, which needs no mount root of its own."""
    monkeypatch.setenv("TRADEWIND_MOUNT_ROOTS", engines.mount_roots())
    monkeypatch.setenv("TRADEWIND_HOME", ADDRESS)
    return lambda name: worker(name).root


@pytest.fixture
def task(machine: Callable[[str], Path]) -> MakeTask:
    from tradewind_airflow.operators.image import RunImageOperator

    def make(root: Path, command: Any, task_id: str = "work", **changes: Any) -> RunImageOperator:
        settings = {"image": engines.BASE_IMAGE, "network_mode": "none", "run_dir": str(root / RUN)}
        return RunImageOperator(task_id=task_id, command=command, **settings | changes)

    return make


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    """Run a task to its end in this process."""

    def execute(operator: Any, number: int = 1) -> Any:
        store = tmp_path / f"{operator.task_id}.json"
        return operator.execute(context_of(store, number, task_id=operator.task_id))

    return execute


def test_each_worker_goes_on_from_what_the_other_published(
    stage: MakeStage, machine: Callable[[str], Path], run: Callable[..., Any], endpoint: str, tmp_path: Path
) -> None:
    from tradewind_airflow.operators.gemma import GemmaFinetuneOperator

    first = machine("first")
    assert run(stage(run_dir=str(first / RUN), overrides=QUICK))["status"] == "success"
    second = machine("second")
    finetune = GemmaFinetuneOperator(
        task_id="finetune", recipe="tiny", data="embedded:en", seed=1, overrides=QUICK, run_dir=str(second / RUN),
        image=engines.BASE_IMAGE, network_mode="none", **engines.own_interpreter(),
    )  # fmt: skip
    made = run(finetune)
    assert made["status"] == "success"
    assert made["inputs"]["prepare/train.jsonl"]["sha256"] == read_result(
        first / RUN / "prepare/result.json"
    ).hashes["train.jsonl"]  # fmt: skip
    mirror = machine("third")
    third = _mirror(mirror)
    third.refresh("runs/trade_qa")
    third.complete(third.root / RUN)
    assert tree(mirror / RUN / "finetune") == tree(second / RUN / "finetune")
    assert any(path.suffix == ".safetensors" for path in (mirror / RUN / "finetune").rglob("*"))
    assert {path.stat().st_uid for path in second.rglob("*")} == {os.getuid()}
    assert not [key for key in keys(endpoint) if ".work" in key or "checkpoint" in key]


def _mirror(root: Path) -> Any:
    from tradewind.store.mirror import mirror_of

    return mirror_of(root)


def test_a_container_sees_the_local_folder_and_no_bucket(
    busy: MakeStage, machine: Callable[[str], Path], attempt: StartTry, live: Callable[[], dict[str, Any]],
    long_work: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("TRADEWIND_MOUNT_ROOTS", engines.mount_roots(long_work))
    root = machine("first")
    attempt(busy(run_dir=str(root / RUN)))
    found = live()
    mounts = {mount["Destination"]: mount["Source"] for mount in found["Mounts"]}
    assert mounts[str(root / RUN)] == str(root / RUN)
    assert mounts["/pipeline/outputs"] == str(root / RUN / ".prepare.work")
    assert not [target for target in mounts if target in map(str, (root, *root.parents))]
    environment = Path(f"/proc/{found['State']['Pid']}/environ").read_text(encoding="utf-8")
    assert "AWS" not in environment
    assert "s3:" not in environment


def test_a_retry_on_the_same_worker_follows_the_container(
    machine: Callable[[str], Path], task: MakeTask, attempt: StartTry, in_containers: Engine, run: Callable[..., Any],
) -> None:  # fmt: skip
    first = machine("first")
    run(task(first, "true", "before"))
    begun = attempt(task(first, WAITING, inputs=["tasks/before"]))
    wait_for(lambda: "at work" in begun.lines(), "its first line")
    (container,) = in_containers.containers()
    begun.kill()
    again = attempt(task(first, WAITING, inputs=["tasks/before"]), 2)
    wait_for(lambda: any("Reconnecting" in line for line in again.lines()), "found again")
    assert [one["Id"] for one in in_containers.containers()] == [container["Id"]]
    (first / RUN / "tasks/before/go").touch()
    assert again.outcome()["result"]["task_id"] == "work/1"
    second = _mirror(machine("second"))
    second.refresh("runs/trade_qa")
    assert tree(second.root / RUN / "tasks/work") == {"o": b"work/1\n"}


def test_a_retry_on_another_worker_of_the_host_ends_the_container_and_makes_its_own(
    busy: MakeStage, stage: MakeStage, machine: Callable[[str], Path], attempt: StartTry, in_containers: Engine,
    live: Callable[[], dict[str, Any]], long_work: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("TRADEWIND_MOUNT_ROOTS", engines.mount_roots(long_work))
    monkeypatch.setenv("TRADEWIND_GPUS", "0")  # which the other container would hold
    first = machine("first")
    lost = attempt(busy(run_dir=str(first / RUN), gpus=1))
    before = live()
    lost.kill()
    second = machine("second")
    again = attempt(stage(run_dir=str(second / RUN), gpus=1), 2)
    result = again.outcome()["result"]
    assert (result["status"], result["task_id"]) == ("success", "prepare/2")
    assert any("of another worker, into" in line and str(first) in line for line in again.lines())
    assert in_containers.containers() == []
    assert any(before["Name"].removeprefix("/") in line and "started with GPU 0" in line for line in again.lines())
    third = _mirror(machine("third"))
    third.refresh("runs/trade_qa")
    assert read_result(third.root / RUN / "prepare/result.json").task_id == "prepare/2"


def test_a_worker_that_was_given_up_does_not_stop_the_container_of_another(
    machine: Callable[[str], Path], task: MakeTask, attempt: StartTry, in_containers: Engine, run: Callable[..., Any],
) -> None:  # fmt: skip
    first = machine("first")
    run(task(first, "true", "before"))
    given_up = attempt(task(first, WAITING, inputs=["tasks/before"]))
    wait_for(lambda: "at work" in given_up.lines(), "its first line")
    assert given_up.process.pid is not None
    os.kill(given_up.process.pid, signal.SIGSTOP)  # as a machine that hangs, and comes back
    second = machine("second")
    again = attempt(task(second, WAITING, inputs=["tasks/before"]), 2)
    wait_for(lambda: "at work" in again.lines(), "the other's first line")
    os.kill(given_up.process.pid, signal.SIGCONT)
    assert "is gone; it was stopped or removed" in given_up.outcome()["text"]
    (container,) = in_containers.containers(status="running")
    assert container["Labels"]["tradewind.folder"] == str(second / RUN)
    (second / RUN / "tasks/before/go").touch()
    assert again.outcome()["result"]["task_id"] == "work/2"


def test_what_one_image_left_is_the_next_ones_input_on_another_worker(
    machine: Callable[[str], Path], task: MakeTask, run: Callable[..., Any], proxy: FaultyProxy
) -> None:
    script = """
        head -c 200000 /dev/zero > /pipeline/outputs/zeros
        printf '#!/bin/sh\\necho ran' > /pipeline/outputs/program; chmod 755 /pipeline/outputs/program
        echo '{"accuracy": 1}' > /pipeline/outputs/result.json
    """
    first = machine("first")
    made = run(task(first, script, "training"))
    assert (made["outputs"]["path"], made["outputs"]["files"]) == ("tasks/training", 3)
    second = machine("second")
    read = "cd /pipeline/input1; { ls -A; ./program; wc -c < zeros; } > /pipeline/outputs/o"
    run(task(second, read, "alarm", inputs=["tasks/training"]))
    said = (second / RUN / "tasks/alarm/o").read_text().split()
    assert said == ["program", "result.json", "zeros", "ran", "200000"]
    assert tree(second / RUN / "tasks/training") == tree(first / RUN / "tasks/training")
    assert mark_of(second / RUN / "tasks/training").read_bytes() == mark_of(first / RUN / "tasks/training").read_bytes()


def test_cleared_on_another_worker_it_is_made_anew_for_all(
    machine: Callable[[str], Path], task: MakeTask, tmp_path: Path, attempt: StartTry
) -> None:
    command = "ls /pipeline/outputs; touch /pipeline/outputs/${TRADEWIND_TASK_ID##*/}"
    first = machine("first")
    assert "result" in attempt(task(first, command)).outcome()
    second = machine("second")
    again = attempt(task(second, command), 2, cleared=1)
    assert "result" in again.outcome()
    assert "1" not in again.lines()
    for name in ("first", "third"):
        mirror = _mirror(machine(name))
        mirror.refresh("runs/trade_qa")
        assert list(tree(mirror.root / RUN / "tasks/work")) == ["2"]


def test_what_a_cleared_task_made_before_does_not_come_back_while_it_runs(
    machine: Callable[[str], Path], task: MakeTask, attempt: StartTry, run: Callable[..., Any]
) -> None:
    root = machine("first")
    run(task(root, "true", "before"))
    run(task(root, "echo old > /pipeline/outputs/old"))
    again = attempt(task(root, WAITING, inputs=["tasks/before"]), 2, cleared=1)
    wait_for(lambda: "at work" in again.lines(), "its first line")
    _mirror(root).refresh("runs/trade_qa")  # as another task of this worker does
    assert not (root / RUN / "tasks/work").exists()
    (root / RUN / "tasks/before/go").touch()
    assert again.outcome()["result"]["task_id"] == "work/2"
    second = _mirror(machine("second"))
    second.refresh("runs/trade_qa")
    assert tree(second.root / RUN / "tasks/work") == {"o": b"work/2\n"}


def test_what_could_not_be_sent_is_sent_by_the_retry(
    machine: Callable[[str], Path], task: MakeTask, attempt: StartTry, proxy: FaultyProxy, endpoint: str
) -> None:
    first = machine("first")
    proxy.spoil("PUT", "/manifests/", "unavailable", times=99)
    command = "echo $TRADEWIND_TASK_ID > /pipeline/outputs/o"
    outcome = attempt(task(first, command)).outcome()
    assert outcome["error"] == "AirflowException"
    assert "nothing is lost: try again" in outcome["text"]
    assert not keys(endpoint, "home/manifests/")
    proxy.faults.clear()
    assert attempt(task(first, command), 2).outcome()["result"]["task_id"] == "work/1"
    second = _mirror(machine("second"))
    second.refresh("runs/trade_qa")
    assert tree(second.root / RUN / "tasks/work") == {"o": b"work/1\n"}


def test_a_link_in_the_outputs_fails_the_task_with_its_name(
    machine: Callable[[str], Path], task: MakeTask, run: Callable[..., Any], endpoint: str
) -> None:
    with pytest.raises(AirflowFailException, match=r"tasks/work/shadow: not a plain file; nothing of it is sent"):
        run(task(machine("first"), "ln -s /etc/shadow /pipeline/outputs/shadow"))
    assert keys(endpoint) == []
