"""A container outlives its supervisor, ends with its task, and is never one of two."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import engine as engines
from container_fixtures import MakeStage, StartTry
from engine import Engine
from tries import wait_for

pytestmark = pytest.mark.slow
Live = Callable[[], dict[str, Any]]


@pytest.fixture
def slow_lines(stage: MakeStage, tmp_path: Path) -> MakeStage:
    """A stage that says one numbered line for each that the test writes into `go`; told `end`, it does its work."""
    from docker.types import Mount

    hook = tmp_path / "hook"
    hook.mkdir()
    os.mkfifo(hook / "go")
    (hook / "sitecustomize.py").write_text(
        "import sys\n"
        "for number, said in enumerate(open('/hook/go'), 1):\n"
        "    if said == 'end\\n': break\n"
        "    print('line', number, file=sys.stderr, flush=True)\n",
        encoding="utf-8",
    )
    mount = Mount("/hook", str(hook), "bind", read_only=True)
    return lambda **changes: stage(mounts=[mount], env={"PYTHONPATH": "/hook"}, **changes)


def test_a_retry_follows_the_same_container_from_where_the_log_stopped(
    slow_lines: MakeStage, attempt: StartTry, in_containers: Engine, tmp_path: Path
) -> None:
    first = attempt(slow_lines())
    with (tmp_path / "hook/go").open("w", encoding="utf-8") as go:
        go.write("\n" * 3)
        go.flush()
        wait_for(lambda: "line 3" in first.lines(), "three lines")
        (container,) = in_containers.containers()
        first.kill()
        go.write("\n" * 2)  # said while nobody listens
        go.flush()
        wait_for(lambda: b"line 5" in in_containers.cli.logs(container["Id"]), "five lines in the engine")
        second = attempt(slow_lines(), 2)
        wait_for(lambda: "line 5" in second.lines(), "the rest of the log")
        assert [found["Id"] for found in in_containers.containers()] == [container["Id"]]
        go.write("end\n")
    outcome = second.outcome()
    assert outcome["result"]["status"] == "success"
    assert outcome["result"]["task_id"] == "prepare/1"  # who started it
    said = [line for line in first.lines() + second.lines() if line.startswith("line ")]
    assert said == [f"line {number}" for number in range(1, 6)]


def test_a_retry_takes_the_result_of_a_container_that_ended_while_nobody_followed(
    slow_lines: MakeStage, attempt: StartTry, in_containers: Engine, tmp_path: Path
) -> None:
    first = attempt(slow_lines())
    with (tmp_path / "hook/go").open("w", encoding="utf-8") as go:
        go.write("\n")
        go.flush()
        wait_for(lambda: "line 1" in first.lines(), "a line")
        first.kill()
        go.write("end\n")
    wait_for(lambda: in_containers.containers(status="exited"), "the container has ended")
    second = attempt(slow_lines(), 2)
    assert second.outcome()["result"]["task_id"] == "prepare/1"
    assert any(line.startswith("prepare: success in ") for line in second.lines())
    assert "line 1" not in second.lines()


def test_a_retry_that_knows_no_id_finds_the_container_by_its_name(
    busy: MakeStage, attempt: StartTry, live: Live, tmp_path: Path
) -> None:
    """The first try ended between starting the container and telling Airflow of it."""
    first = attempt(busy())
    container = live()
    first.kill()
    (tmp_path / "prepare.store").unlink(missing_ok=True)
    second = attempt(busy(), 2)
    wait_for(lambda: any("taking over" in line for line in second.lines()), "the retry has found it")
    assert live()["Id"] == container["Id"]


def test_a_try_that_was_given_up_does_not_stop_the_container_that_another_took_over(
    busy: MakeStage, attempt: StartTry, live: Live
) -> None:
    """Its worker was cut off from Airflow for a while, not dead: only now it is told to end."""
    first = attempt(busy())
    container = live()
    assert first.process.pid is not None
    os.kill(first.process.pid, signal.SIGSTOP)
    second = attempt(busy(), 2)
    wait_for(lambda: "Reconnecting to existing job" in second.lines(), "the second try follows")
    os.kill(first.process.pid, signal.SIGTERM)
    os.kill(first.process.pid, signal.SIGCONT)
    assert live()["Id"] == container["Id"]
    second.terminate()
    assert first.outcome()["error"] == "AirflowException"
    assert "its container is gone" in second.outcome()["text"]


def test_a_stopped_task_leaves_no_container_within_five_seconds(
    busy: MakeStage, attempt: StartTry, live: Live, in_containers: Engine, tmp_path: Path
) -> None:
    task = attempt(busy(gpus=1))
    live()
    began = time.monotonic()
    task.process.terminate()
    wait_for(lambda: not in_containers.containers(), "the container is gone")
    assert time.monotonic() - began < 5
    assert task.outcome()["error"] == "AirflowException"
    assert not (tmp_path / "run/prepare").exists()


def test_a_container_that_ignores_sigterm_is_gone_within_five_seconds_too(
    stage: MakeStage, attempt: StartTry, in_containers: Engine
) -> None:
    task = attempt(stage(entrypoint=["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]))
    wait_for(lambda: "deaf" in task.lines(), "it runs")
    began = time.monotonic()
    task.process.terminate()
    wait_for(lambda: not in_containers.containers(), "the container is gone")
    assert time.monotonic() - began < 5


def test_after_a_clear_the_old_container_is_gone_before_the_new_one_starts(
    busy: MakeStage, attempt: StartTry, live: Live, in_containers: Engine
) -> None:
    """Its worker was lost, so nobody else has stopped it."""
    first = attempt(busy())
    old = live()
    first.kill()
    began = time.time()
    second = attempt(busy(), 2, cleared=1)
    wait_for(lambda: any(" started" in line for line in second.lines()), "the new try's container")
    new = live()
    assert new["Id"] != old["Id"]
    events = [
        (event["Action"], event["Actor"]["ID"])
        for event in in_containers.cli.events(since=int(began), until=int(time.time()) + 1, decode=True)
        if event["Type"] == "container"
    ]
    assert events.index(("destroy", old["Id"])) < events.index(("start", new["Id"]))


def test_cleared_after_success_it_runs_anew(stage: MakeStage, attempt: StartTry, tmp_path: Path) -> None:
    assert attempt(stage()).outcome()["result"]["task_id"] == "prepare/1"
    assert attempt(stage(), 2, cleared=1).outcome()["result"]["task_id"] == "prepare/2"


def test_two_tries_at_once_share_one_container(busy: MakeStage, attempt: StartTry, live: Live) -> None:
    first, second = attempt(busy()), attempt(busy(), 2)
    live()
    wait_for(
        lambda: "prepare: start in" in str(first.lines()) and "prepare: start in" in str(second.lines()), "both follow"
    )
    for one in (first, second):  # only the one with the claim stops the container, the other follows it to its end
        one.process.terminate()
    assert {first.outcome()["error"], second.outcome()["error"]} == {"AirflowException"}


def test_a_stage_goes_on_over_a_restart_of_the_engine(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, engine: Engine, stage: MakeStage, attempt: StartTry,
    monkeypatch: pytest.MonkeyPatch, slow_lines: MakeStage,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("live-restore")
    image = engine.cli.get_image(engines.BASE_IMAGE)
    with engines.started(folder, "--live-restore", data=folder / "data") as own:
        own.cli.load_image(image)
        monkeypatch.setenv("DOCKER_HOST", own.host)
        task = attempt(slow_lines())
        with (tmp_path / "hook/go").open("w", encoding="utf-8") as go:
            go.write("\n")
            go.flush()
            wait_for(lambda: "line 1" in task.lines(), "a line")
            own.restart()
            go.write("\n")
            go.flush()
            wait_for(lambda: "line 2" in task.lines(), "the line after the restart")
            go.write("end\n")
        assert task.outcome()["result"]["task_id"] == "prepare/1"
        assert [line for line in task.lines() if line.startswith("line ")] == ["line 1", "line 2"]


def test_a_stop_that_comes_before_the_start_leaves_no_container(
    stage: MakeStage, attempt: StartTry, in_containers: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal arrives while the operator asks for the image, when there is nothing to stop yet."""
    from tradewind_airflow.containers import image, launch

    reached, go_on = tmp_path / "reached", tmp_path / "go_on"
    real = image.have_image

    def have_image(*args: Any, **kwargs: Any) -> str:
        found = real(*args, **kwargs)
        reached.touch()
        wait_for(go_on.exists, "the test goes on")
        return found

    monkeypatch.setattr(launch, "have_image", have_image)
    task = attempt(stage())
    wait_for(reached.exists, "the image is looked at")
    assert task.process.pid is not None
    os.kill(task.process.pid, signal.SIGTERM)
    go_on.touch()
    assert "stopped before its container started" in task.outcome()["text"]
    assert in_containers.containers() == []


def test_a_result_that_airflow_was_not_told_of_is_not_made_again(
    stage: MakeStage, attempt: StartTry, in_containers: Engine, tmp_path: Path
) -> None:
    """The worker was lost after the container's end, before Airflow had the result."""
    assert attempt(stage()).outcome()["result"]["task_id"] == "prepare/1"
    retry = attempt(stage(), 2)
    assert retry.outcome()["result"]["task_id"] == "prepare/1"
    assert any("has published its result already" in line for line in retry.lines())
    assert not any(" started" in line for line in retry.lines())


def test_what_a_container_said_before_it_failed_unfollowed_is_told(
    slow_lines: MakeStage, attempt: StartTry, in_containers: Engine, tmp_path: Path
) -> None:
    first = attempt(slow_lines())
    with (tmp_path / "hook/go").open("w", encoding="utf-8") as go:
        go.write("\n")
        go.flush()
        wait_for(lambda: "line 1" in first.lines(), "a line")
        (container,) = in_containers.containers()
        first.kill()
        go.write("\n")
        go.flush()
        wait_for(lambda: b"line 2" in in_containers.cli.logs(container["Id"]), "a line that nobody hears")
        in_containers.cli.kill(container["Id"])
    second = attempt(slow_lines(), 2)
    (tmp_path / "hook/go").write_text("end\n", encoding="utf-8")  # waits for a reader: the second container
    outcome = second.outcome()
    lines = second.lines()
    assert "line 1" not in lines
    assert lines.index("line 2") < next(n for n, line in enumerate(lines) if "ended while nobody followed it" in line)
    assert outcome["result"]["task_id"] == "prepare/2"


def test_an_engine_that_answers_with_a_fault_of_its_own_is_asked_again(
    slow_lines: MakeStage, attempt: StartTry, in_containers: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a proxy before a stopped engine does."""
    import requests
    from docker.errors import APIError

    from tradewind_airflow.containers import logs

    real, faults = logs.lines, tmp_path / "faults"
    faults.touch()

    def lines(*args: Any, **kwargs: Any) -> Any:
        seen = len(faults.read_text())
        with faults.open("a") as file:
            file.write("x")
        if seen == 0:
            answer = requests.Response()
            answer.status_code = 502
            raise APIError("bad gateway", response=answer)
        if seen == 1:
            raise requests.exceptions.ReadTimeout
        return real(*args, **kwargs)

    monkeypatch.setattr(logs, "lines", lines)
    task = attempt(slow_lines())
    with (tmp_path / "hook/go").open("w", encoding="utf-8") as go:
        go.write("\nend\n")
    assert task.outcome()["result"]["status"] == "success"
    assert "line 1" in task.lines()
    assert sum("engine went away" in line for line in task.lines()) == 2


def test_a_container_that_its_creator_never_started_is_replaced(
    busy: MakeStage, attempt: StartTry, live: Live, in_containers: Engine
) -> None:
    """The first try was lost between the two; a second that comes at once waits, since the first may be at it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("docker.api.container.ContainerApiMixin.start", lambda *_, **__: os.kill(os.getpid(), 9))
        first = attempt(busy())
        first.process.join(60)
    (left,) = in_containers.containers(status="created")
    second = attempt(busy(), 2)
    assert live()["Id"] != left["Id"]
    assert left["Id"] not in [found["Id"] for found in in_containers.containers()]
    second.terminate()
