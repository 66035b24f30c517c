"""Nights with unchanged documents, forced, skipped, cleared and mistyped, in a real Airflow."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from documents import REPOSITORY, SAMPLES
from processes import stage_process
from tradewind.errors import UserError
from tradewind.registry.store import Registry, models_path
from tradewind.results import StageResult
from tradewind.run_dir import RunDir, run_path
from tradewind_airflow.local.home import LocalHome
from tradewind_airflow.local.run import DAG_ID, DagRun, set_paused, trigger, unfinished
from tradewind_airflow.local.server import Server, free_port, started
from tries import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
STAGES = ("prepare", "baseline", "finetune", "evaluate", "report")
NIGHT = 60  # seconds that one with unchanged documents may take
QUICK = """
split: {min_items: 2}
adapt: {enabled: false}
finetune: {num_train_epochs: 1, per_device_train_batch_size: 16, gradient_accumulation_steps: 1, max_length: 256}
evaluate: {encoder: "embedded:all-MiniLM-L6-v2", max_new_tokens: 8}
"""


class PatientHome(LocalHome):
    """Its tasks wait for the API server on a busy machine."""

    def environment(self, port: int, page_port: int | None = None) -> dict[str, str]:
        return super().environment(port, page_port) | {"AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60"}


class Night:
    """One run, as its folder and Airflow have it."""

    def __init__(self, run: DagRun, home: LocalHome) -> None:
        self.run = run
        self.run_dir = RunDir(run_path(home.path, DAG_ID, run.run_id))
        self._logs = home.airflow / "logs" / f"dag_id={DAG_ID}" / f"run_id={run.run_id}"

    def ended(self, limit: float = 600) -> str:
        wait_for(lambda: self.run.state() in ("success", "failed"), f"run {self.run.run_id} has ended", limit)
        return self.run.state()

    def states(self) -> dict[str, str]:
        return {str(task["task_id"]): str(task["state"]) for task in self.run.tasks()}

    def seconds(self) -> float:
        """From its first task's start to its last one's end."""
        tasks = [task for task in self.run.tasks() if task["start_date"] and task["end_date"]]
        began, ended = min(task["start_date"] for task in tasks), max(task["end_date"] for task in tasks)
        return (_time(ended) - _time(began)).total_seconds()

    def durations(self) -> dict[str, float]:
        return {
            str(task["task_id"]): round((_time(task["end_date"]) - _time(task["start_date"])).total_seconds(), 2)
            for task in self.run.tasks() if task["start_date"] and task["end_date"]
        }  # fmt: skip

    def results(self) -> dict[str, StageResult]:
        return {stage: self.run_dir.result(stage) for stage in STAGES}

    def outcomes(self) -> dict[str, str]:
        return {stage: result.status for stage, result in self.results().items()}

    def log(self, task_id: str = "*") -> str:
        return "".join(path.read_text() for path in sorted(self._logs.glob(f"task_id={task_id}/**/attempt=*.log")))

    def clear(self, server: Server, task_id: str) -> None:
        body: dict[str, object] = {
            "dry_run": False, "task_ids": [task_id], "dag_run_id": self.run.run_id, "only_failed": False,
            "include_downstream": True,
        }  # fmt: skip
        server.send("POST", f"/dags/{DAG_ID}/clearTaskInstances", body)


def _is_over(server: Server, path: str) -> bool:
    return server.get(path).json()["state"] in ("success", "failed")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(SAMPLES["ko"], tmp_path_factory.mktemp("ours") / "documents"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, documents: Path) -> Iterator[LocalHome]:
    recipe = documents.parent / "quick.yaml"
    recipe.write_text(QUICK, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADEWIND_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("TRADEWIND_RECIPE", str(recipe))
        patch.setenv("TRADEWIND_DATA", str(documents))
        patch.delenv("SLACK_TOKEN", raising=False)
        yield PatientHome(REPOSITORY)


@pytest.fixture(scope="module")
def scheduled(home: LocalHome) -> list[Night]:
    """The first two runs that the scheduler itself starts, with nothing changed between them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADEWIND_SCHEDULE", "* * * * *")
        with started(home, free_port()) as server:
            server.log_in()
            set_paused(server, False)

            def ended() -> list[str]:
                found = server.get(f"/dags/{DAG_ID}/dagRuns?state=success&state=failed&order_by=run_after").json()
                return [str(run["dag_run_id"]) for run in found["dag_runs"]]

            wait_for(lambda: len(ended()) >= 2, "two scheduled nights", 1500)
            runs = server.get(f"/dags/{DAG_ID}/dagRuns?order_by=run_after").json()["dag_runs"]
            nights = [Night(DagRun(server, str(run["dag_run_id"])), home) for run in runs[:2]]
            found = [Seen(night) for night in nights]
            assert [run["run_type"] for run in runs[:2]] == ["scheduled", "scheduled"]
    return found  # type: ignore[return-value]


class Seen(Night):
    """A night whose Airflow has ended since."""

    def __init__(self, night: Night) -> None:
        self.run_dir, self._logs = night.run_dir, night._logs
        self.state, self._states, self._seconds, self._durations = (
            night.run.state(), night.states(), night.seconds(), night.durations(),
        )  # fmt: skip

    def states(self) -> dict[str, str]:
        return self._states

    def seconds(self) -> float:
        return self._seconds

    def durations(self) -> dict[str, float]:
        return self._durations


@pytest.fixture(scope="module")
def server(home: LocalHome, scheduled: list[Night]) -> Iterator[Server]:
    """The same home later: now runs start by hand, or when the documents change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADEWIND_SCHEDULE", "none")
        with started(home, free_port()) as server:
            server.log_in()
            for cut_off in unfinished(server):
                cut_off.fail()
            set_paused(server, False)
            yield server


@pytest.fixture
def night(server: Server, home: LocalHome) -> Any:
    return lambda **conf: Night(trigger(server, conf), home)


def test_the_second_scheduled_night_ends_as_nothing_new_and_runs_no_stage(
    scheduled: list[Night], home: LocalHome, record_property: Any
) -> None:
    first, second = scheduled
    assert first.outcomes() == dict.fromkeys(STAGES, "success")
    assert first.states()["register"] == "success"
    assert second.outcomes() == dict.fromkeys(STAGES, "cached")
    assert second.states() == dict.fromkeys(("configure", "shards", "end", *STAGES), "success") | dict.fromkeys(
        ("extract", "adapt", "register", "approve", "promote", "announce", "notify", "tell_promotion"), "skipped"
    )
    log = second.log()
    for stage in STAGES:
        assert f"{stage}: start in" in first.log()
        assert f"{stage}: start in" not in log
    made_by = first.run_dir.path.name
    assert f"nothing new: this run's model is v1, made by run {made_by}" in second.log("register")
    assert {result.source_run for result in second.results().values()} == {made_by}
    assert Registry(models_path(home.path, DAG_ID)).names() == ["v1"]
    print("seconds of the second night:", second.seconds(), json.dumps(second.durations()))
    record_property("second_night", second.seconds())
    # Beside others' work every task waits for its turn, as those of the first night did.
    is_busy = os.getloadavg()[0] > 2 * (os.cpu_count() or 1)
    assert second.seconds() < (first.seconds() / 2 if is_busy else NIGHT)
    for stage, result in second.results().items():
        assert result.seconds < 2, stage


def test_force_makes_every_stage_anew(night: Any) -> None:
    forced = night(force=True)
    assert forced.ended() == "success"
    assert forced.outcomes() == dict.fromkeys(STAGES, "success")


def test_a_stage_that_is_left_out_is_pink_and_an_earlier_result_stands_in(night: Any) -> None:
    run = night(skip=["prepare"])
    assert run.ended() == "success"
    assert run.states()["prepare"] == "skipped"
    prepare = run.results()["prepare"]
    assert prepare.status == "skipped"
    assert prepare.reason == f"skipped on request; the result of run {prepare.source_run} stands in for it"
    # The report says which stage was left out, so it is this run's own.
    assert run.outcomes() == dict.fromkeys(STAGES, "cached") | {"prepare": "skipped", "report": "success"}


def test_a_task_that_the_button_skips_is_replaced_by_an_earlier_result(night: Any, server: Server) -> None:
    run = night(seed=7)  # so that nothing before it is cached
    path = f"/dags/{DAG_ID}/dagRuns/{quote(run.run.run_id, safe='')}/taskInstances"
    at_work = wait_for(lambda: stage_process("prepare", run.run_dir.path), "prepare is at work", 120)
    at_work.suspend()  # or it might be done before the button is pressed, and stand for itself
    server.send("PATCH", f"{path}/prepare", {"new_state": "skipped"})
    assert run.ended() == "success"
    assert run.states()["prepare"] == "skipped"
    assert run.results()["prepare"].source_run not in (None, run.run_dir.path.name)
    assert run.outcomes()["finetune"] == "success"  # of another seed


def test_a_cleared_task_and_what_follows_it_are_made_anew(night: Any, server: Server) -> None:
    run = night()
    assert run.ended() == "success"
    assert set(run.outcomes().values()) == {"cached"}
    run.clear(server, "prepare")
    wait_for(lambda: run.run.state() == "running", "the run goes on", 60)
    assert run.ended() == "success"
    made = run.results()
    assert run.outcomes() == dict.fromkeys(STAGES, "success")
    assert {result.task_id for result in made.values()} == {f"{stage}/2" for stage in STAGES}
    assert made["finetune"].inputs["prepare/train.jsonl"] == made["prepare"].outputs["train.jsonl"]


def test_a_skip_that_leaves_a_stage_without_input_fails_at_once(night: Any) -> None:
    run = night(data="embedded:en", skip=["prepare"])
    assert run.ended(120) == "failed"
    states = run.states()
    assert (states["configure"], states["prepare"], states["end"]) == ("failed", "upstream_failed", "upstream_failed")
    assert "skip: prepare was left out and no earlier run has a result of it that fits" in run.log("configure")
    assert run.durations()["configure"] < 10
    assert "configure" in run.log("notify")  # whatever happened, it is told


def test_what_the_form_does_not_know_fails_at_once(night: Any) -> None:
    run = night(epoch=3)
    assert run.ended(120) == "failed"
    assert "conf: epoch: unknown key; did you mean 'epochs'?" in run.log("configure")
    with pytest.raises(UserError, match="learning_rate"):  # Airflow's own check of what the form knows
        night(learning_rate=2)


def test_documents_that_changed_start_a_run(server: Server, home: LocalHome, documents: Path) -> None:
    (documents / "term_data" / "more.json").write_text(
        json.dumps([{"kor_term": "환적", "eng_term": "Transshipment", "description": "화물을 다른 배로 옮겨 싣는 일"}])
    )
    server.send("PATCH", "/dags/trade_qa_documents", {"is_paused": False})
    for _ in range(2):
        answer = server.send("POST", "/dags/trade_qa_documents/dagRuns", {"logical_date": None})
        path = f"/dags/trade_qa_documents/dagRuns/{quote(answer.json()['dag_run_id'], safe='')}"
        wait_for(partial(_is_over, server, path), "a look", 120)
    # The second of them finds the folder at rest, whether that is ours or one that the clock started between.
    looks = server.get("/dags/trade_qa_documents/dagRuns/~/taskInstances?task_id=look").json()["task_instances"]
    assert [look["state"] for look in looks].count("success") == 1

    def started_by_it() -> list[str]:
        found = server.get(f"/dags/{DAG_ID}/dagRuns?run_type=asset_triggered").json()["dag_runs"]
        return [str(run["dag_run_id"]) for run in found]

    (run_id,) = wait_for(started_by_it, "a run that the documents started", 120)
    run = Night(DagRun(server, run_id), home)
    assert run.ended() == "success"
    assert run.outcomes()["prepare"] == "success"
    assert run.results()["prepare"].metrics != {}


def test_every_file_is_free_of_import_errors(server: Server) -> None:
    assert server.get("/importErrors").json()["total_entries"] == 0
    assert server.get(f"/dags/{DAG_ID}").status_code == httpx.codes.OK
