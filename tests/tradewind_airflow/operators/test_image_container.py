"""A task of anyone's image in a real container: what it sees, what is kept, and what a lost worker costs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from docker.types import Mount

import engine as engines
from container_fixtures import StartTry
from engine import Engine
from tries import context_of, wait_for

pytestmark = pytest.mark.slow
SECRET = 'it\'s a "marker"\n$(4711) \\ `x`'
MakeTask = Callable[..., Any]


@pytest.fixture
def task(in_containers: Engine, tmp_path: Path) -> MakeTask:
    from tradewind_airflow.operators.image import RunImageOperator

    def make(command: Any, **changes: Any) -> RunImageOperator:
        settings = {"task_id": "work", "image": engines.BASE_IMAGE, "run_dir": str(tmp_path / "run"),
                    "network_mode": "none"}  # fmt: skip
        return RunImageOperator(command=command, **settings | changes)

    return make


def run(operator: Any, tmp_path: Path, number: int = 1, **more: Any) -> Any:
    return operator.execute(context_of(tmp_path / f"{operator.task_id}.json", number, task_id=operator.task_id, **more))


def test_what_one_leaves_in_outputs_is_the_next_ones_input(task: MakeTask, tmp_path: Path) -> None:
    (tmp_path / "run/prepare").mkdir(parents=True)
    (tmp_path / "run/prepare/train.jsonl").write_text("{}\n")
    first = run(
        task('echo "0.$RANDOM of $TRADEWIND_JOB_ID $TRADEWIND_TASK_ID" > /pipeline/outputs/result.txt'), tmp_path
    )
    made = tmp_path / "run/tasks/work/result.txt"
    assert first == {
        "job_id": "trade_qa/manual__1", "task_id": "work/1",
        "outputs": {"path": "tasks/work", "files": 1, "bytes": made.stat().st_size},
    }  # fmt: skip
    number, _, rest = made.read_text().partition(" ")
    assert 0 < float(number) < 1  # which a plain sh would not make
    assert rest == "of trade_qa/manual__1 work/1\n"
    assert made.stat().st_uid == os.getuid()
    script = """
        cat /pipeline/input1/result.txt /pipeline/input3/train.jsonl > /pipeline/outputs/both
        ls /pipeline >> /pipeline/outputs/both
        touch /pipeline/input1/mine 2>> /pipeline/outputs/both || true
    """
    run(task(script, task_id="next", inputs=["tasks/work", "tasks/none", "prepare"]), tmp_path)
    lines = (tmp_path / "run/tasks/next/both").read_text().splitlines()
    assert lines[:5] == [made.read_text().strip(), "{}", "input1", "input3", "outputs"]
    assert "Read-only file system" in lines[5]


def test_a_list_follows_the_images_entrypoint_and_no_template_is_looked_for(task: MakeTask, tmp_path: Path) -> None:
    operator = task(["sh", "-c", 'echo "${#HOME} {{ x }}" "$1" > /pipeline/outputs/o', "sh", "a b"])
    assert "command" not in operator.template_fields
    run(operator, tmp_path)
    assert (tmp_path / "run/tasks/work/o").read_text() == "4 {{ x }} a b\n"


def test_an_image_without_a_command_needs_one(task: MakeTask, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match=r"work: the image .* has no command of its own; state `command`"):
        run(task(None), tmp_path)


def test_a_secret_reaches_the_program_and_no_inspection(
    task: MakeTask, attempt: StartTry, in_containers: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_OURS", SECRET)
    script = 'printf %s "$TOKEN" > /pipeline/outputs/token; read line; echo "stdin: $line"; sleep 1'
    began = attempt(task(script, secrets={"TOKEN": "env:OF_OURS"}, env={"COLOUR": "blue"}))
    found = wait_for(lambda: in_containers.containers(status="running"), "a container")[0]
    shown = json.dumps(in_containers.cli.inspect_container(found["Id"]))
    assert "COLOUR=blue" in shown
    assert "marker" not in shown
    assert "result" in began.outcome()
    assert (tmp_path / "run/tasks/work/token").read_text() == SECRET
    assert "stdin:" in began.lines()
    assert not any("marker" in line for line in began.lines())


def test_its_program_itself_holds_its_gpus(
    task: MakeTask, attempt: StartTry, in_containers: Engine, tmp_path: Path
) -> None:
    from tradewind.lease import is_leased

    leases = tmp_path / "leases"
    began = attempt(task("exec sleep 60", gpus=2))
    wait_for(lambda: sum(is_leased(leases, gpu) for gpu in "0123") == 2 if leases.is_dir() else False, "two GPUs held")
    held = [gpu for gpu in "0123" if is_leased(leases, gpu)]
    (found,) = in_containers.containers(status="running")
    assert found["Labels"]["tradewind.gpus"] == ",".join(held)
    began.kill()  # the worker is lost, the program goes on
    assert [gpu for gpu in "0123" if is_leased(leases, gpu)] == held
    in_containers.cli.remove_container(found["Id"], force=True)
    wait_for(lambda: not any(is_leased(leases, gpu) for gpu in held), "the locks are gone with it")


def test_where_another_was_faster_at_a_gpu_it_waits_and_chooses_again(
    task: MakeTask, attempt: StartTry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tradewind.lease import gpu_leases, is_leased
    from tradewind_airflow import gpus as hosts

    monkeypatch.setenv("TRADEWIND_GPUS", "0")
    folder = hosts.lease_dir()
    looks: list[str] = []

    def blind_at_first(leases: Path, gpu: str) -> bool:
        looks.append(gpu)
        return len(looks) > 1 and is_leased(leases, gpu)

    monkeypatch.setattr(hosts, "is_leased", blind_at_first)
    is_leased(folder, "0")
    with gpu_leases(folder, ["0"]):
        began = attempt(task("echo mine", gpus=1))
        wait_for(lambda: any("was taken in that moment" in line for line in began.lines()), "it was too late")
    assert began.outcome()["result"]["task_id"] == "work/1"


@pytest.mark.parametrize(
    ("command", "more", "told"),
    [
        ("echo no such luck >&2; exit 2", {}, "work: its command ended with exit code 2: no such luck"),
        ("exit 69", {"gpus": 1}, "work: its command ended with exit code 69: no output"),
        (["nothing-of-this-name"], {}, "nothing-of-this-name"),
    ],
)
def test_its_exit_code_is_its_own(task: MakeTask, tmp_path: Path, command: Any, more: Any, told: str) -> None:
    with pytest.raises(AirflowException, match=told):
        run(task(command, **more), tmp_path)
    assert not (tmp_path / "run/tasks/work").exists()


def test_a_retry_follows_the_program_that_lost_its_worker(
    task: MakeTask, attempt: StartTry, in_containers: Engine, tmp_path: Path
) -> None:
    script = "echo one; until [ -e /pipeline/input1/go ]; do sleep 0.1; done; echo two > /pipeline/outputs/o; echo end"
    go = tmp_path / "run/prepare"
    go.mkdir(parents=True)
    first = attempt(task(script, inputs=["prepare"]))
    wait_for(lambda: "one" in first.lines(), "its first line")
    (before,) = in_containers.containers()
    first.kill()
    second = attempt(task(script, inputs=["prepare"]), 2)
    wait_for(lambda: any("Reconnecting" in line for line in second.lines()), "found again")
    (after,) = in_containers.containers()
    assert after["Id"] == before["Id"]
    (go / "go").touch()
    assert second.outcome()["result"]["task_id"] == "work/1"
    assert (tmp_path / "run/tasks/work/o").read_text() == "two\n"
    assert "one" not in second.lines()


def test_cleared_it_starts_with_empty_outputs(task: MakeTask, attempt: StartTry, tmp_path: Path) -> None:
    command = "ls /pipeline/outputs; touch /pipeline/outputs/$TRADEWIND_TASK_ID"
    command = command.replace("$TRADEWIND_TASK_ID", "${TRADEWIND_TASK_ID##*/}")
    assert "result" in attempt(task(command)).outcome()
    again = attempt(task(command), 2, cleared=1)
    assert "result" in again.outcome()
    assert [path.name for path in (tmp_path / "run/tasks/work").iterdir()] == ["2"]
    assert "1" not in again.lines()


def test_a_folder_outside_of_the_roots_is_not_mounted(task: MakeTask, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/link").symlink_to("/etc")
    for source in ("/etc", str(tmp_path / "run/link")):
        with pytest.raises(AirflowFailException, match="may not be mounted into a container; allowed are"):
            run(task("true", mounts=[Mount("/x", source, "bind")]), tmp_path)


def test_a_link_in_the_place_of_an_input_is_not_followed(task: MakeTask, tmp_path: Path) -> None:
    (tmp_path / "run/tasks").mkdir(parents=True)
    (tmp_path / "run/tasks/before").symlink_to("/etc")
    with pytest.raises(AirflowFailException, match="may not be mounted"):
        run(task("true", inputs=["tasks/before"]), tmp_path)


@pytest.mark.parametrize("name", ["..", "../other", "/etc"])
def test_an_input_is_a_folder_of_the_run(name: str) -> None:
    from tradewind_airflow.operators.image import RunImageOperator

    with pytest.raises(ValueError, match="is no folder of the run"):
        RunImageOperator(task_id="work", image="x", inputs=[name])
