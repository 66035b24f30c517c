"""How a run of the shipped DAG ends, by Airflow's own scheduler, whatever becomes of its tasks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from scheduled import ScheduledRun

Start = Callable[..., ScheduledRun]
_NUMBERS = count()


@pytest.fixture(scope="module")
def trade_qa(airflow_database: None) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(Path(__file__).parents[2] / "dags"))
    assert bag.import_errors == {}
    return bag.dags["trade_qa"]


@pytest.fixture
def start(trade_qa: Any) -> Start:
    return lambda shards=2: ScheduledRun(trade_qa, f"run_{next(_NUMBERS)}", mapped={"shards": shards})


def test_a_run_without_a_fault_is_a_success(start: Start) -> None:
    run = start()
    assert run.go_on({}) == "success"
    assert set(run.states().values()) == {"success"}


def test_without_extraction_its_task_is_skipped_and_the_rest_goes_on(start: Start) -> None:
    run = start(shards=0)
    assert run.go_on({}) == "success"
    assert {task for task, state in run.states().items() if state == "skipped"} == {"extract"}


@pytest.mark.parametrize(
    "failed",
    ["configure", "shards", "extract[1]", "prepare", "baseline", "adapt", "finetune", "evaluate", "report", "register"],
)
def test_a_failed_task_makes_the_run_failed_and_notify_tells_it(start: Start, failed: str) -> None:
    run = start()
    assert run.go_on({failed: "failed"}) == "failed"
    states = run.states()
    assert (states["notify"], states["tell_promotion"]) == ("success", "success")
    assert states["end"] == "upstream_failed"


@pytest.mark.parametrize("failed", ["approve", "promote"])
def test_a_failed_promotion_makes_the_run_failed(start: Start, failed: str) -> None:
    run = start()
    assert run.go_on({failed: "failed"}) == "failed"
    assert run.states()["tell_promotion"] == "success"


@pytest.mark.parametrize("task", ["announce", "notify", "tell_promotion"])
def test_what_could_not_be_told_shows(start: Start, task: str) -> None:
    """A run that nobody heard of is not as good as one that somebody did."""
    assert start().go_on({task: "failed"}) == "failed"


def test_a_run_whose_leaves_are_skipped_is_a_success(start: Start) -> None:
    """Nothing new, or nothing that anybody has to approve."""
    run = start()
    assert run.go_on({"register": "skipped"}) == "success"
    states = run.states()
    assert (states["promote"], states["end"], states["notify"]) == ("skipped", "success", "success")


def test_the_message_does_not_wait_for_the_approval_that_it_asks_for(start: Start) -> None:
    run = start()
    assert run.go_on({"approve": "awaiting_input"}) == "running"
    states = run.states()
    assert (states["approve"], states["promote"], states["notify"]) == ("awaiting_input", None, "success")
    assert states["tell_promotion"] is None


@pytest.mark.parametrize("stage", ["prepare", "baseline", "adapt", "finetune", "evaluate", "report"])
def test_after_a_skipped_stage_the_next_ones_run(start: Start, stage: str) -> None:
    run = start()
    assert run.go_on({stage: "skipped"}) == "success"
    assert {task for task, state in run.states().items() if state != "success"} == {stage}


def test_a_run_that_somebody_marks_failed_stays_failed(start: Start) -> None:
    """With a teardown among its tasks Airflow would leave the run to go on, and end it as a success."""
    run = start()
    assert run.go_on({"finetune": "running"}) == "running"
    run.mark_failed()
    assert run.go_on({}) == "failed"


@pytest.mark.parametrize("cleared", ["configure", "shards", "prepare", "finetune", "baseline", "register"])
def test_a_cleared_task_and_all_that_follows_it_run_again_and_decide_the_end(start: Start, cleared: str) -> None:
    run = start()
    assert run.go_on({"finetune": "failed"}) == "failed"
    run.clear("finetune")
    assert run.go_on({}) == "success"
    run.clear(cleared)
    assert {run.states()[task] for task in (cleared, "register", "promote", "notify", "end")} == {None}
    assert run.go_on({}) == "success"
    run.clear(cleared)
    assert run.go_on({"promote": "failed"}) == "failed"
