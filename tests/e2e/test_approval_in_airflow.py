"""The registry's tasks in a real Airflow: promoted at once, approved, rejected and left without an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from documents import REPOSITORY
from finished_run import finished_run
from tradewind.registry.store import Registry, models_path
from tradewind_airflow.local.home import LocalHome
from tradewind_airflow.local.run import DAG_ID, DagRun, set_paused, trigger
from tradewind_airflow.local.server import Server, free_port, started
from tries import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
APPROVAL = {"gate.approval": True}
SILENCE = 20  # seconds; an answer of the tests' own comes sooner

DAG_FILE = f"""
from datetime import timedelta
from airflow.sdk import DAG
from tradewind_airflow.operators.promotion import ApprovePromotionOperator, PromoteModelOperator, RegisterModelOperator

with DAG(dag_id="{DAG_ID}", schedule=None, params={{"run": ""}}):
    register = RegisterModelOperator(task_id="register", run_dir="{{{{ params.run }}}}")
    approve = ApprovePromotionOperator(
        task_id="approve", registered=register.output, response_timeout=timedelta(seconds={SILENCE})
    )
    promote = PromoteModelOperator(task_id="promote", registered=register.output, approval=approve.output)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHome]:
    project = tmp_path_factory.mktemp("project")
    (project / "dags").mkdir()
    (project / "dags" / "promotion.py").write_text(DAG_FILE)
    (project / "plugins").symlink_to(REPOSITORY / "plugins")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADEWIND_HOME", str(tmp_path_factory.mktemp("home")))
        yield LocalHome(project)


@pytest.fixture(scope="module")
def airflow(home: LocalHome) -> Iterator[Server]:
    with started(home, free_port()) as server:
        server.log_in()
        set_paused(server, False)
        yield server


@pytest.fixture(scope="module")
def registry(home: LocalHome) -> Registry:
    return Registry(models_path(home.path, DAG_ID))


def _states(run: DagRun) -> dict[str, str]:
    wait_for(lambda: run.state() in ("success", "failed"), "the run has ended", 120)
    return {str(task["task_id"]): str(task["state"]) for task in run.tasks()}


def _asked(airflow: Server, home: LocalHome, run: DagRun) -> tuple[str, dict[str, Any]]:
    """The address of the question and what it says, once it may be answered.

    Airflow fails a task that is answered before the scheduler has noted the end of the process that asked: some
    tenths of a second, for which no human is quick enough, and of which only the scheduler's log tells.
    """
    path = f"/dags/{DAG_ID}/dagRuns/{quote(run.run_id, safe='')}/taskInstances/approve"
    wait_for(lambda: airflow.get(path).json()["state"] == "awaiting_input", "somebody is asked", 120)
    noted = f"Received executor event with state success .*task_id='approve', run_id='{re.escape(run.run_id)}'"
    log = home.airflow / "standalone.log"
    wait_for(lambda: re.search(noted, log.read_text(encoding="utf-8")), "the scheduler knows of it", 120)
    return f"{path}/-1/hitlDetails", dict(airflow.get(f"{path}/-1/hitlDetails").json())


def _night(airflow: Server, registry: Registry, path: Path, **settings: Any) -> DagRun:
    run = finished_run(path, champion=registry.champion(), weights=path.name, **settings)
    return trigger(airflow, {"run": str(run.path)})


def test_without_a_wish_for_approval_nobody_is_asked(airflow: Server, registry: Registry, tmp_path: Path) -> None:
    run = _night(airflow, registry, tmp_path / "first")
    assert _states(run) == {"register": "success", "approve": "skipped", "promote": "skipped"}
    assert registry.champion_name() == "v1"


def test_what_a_human_approves_becomes_champion_and_the_history_names_him(
    airflow: Server, home: LocalHome, registry: Registry, tmp_path: Path
) -> None:
    run = _night(airflow, registry, tmp_path / "second", overrides=APPROVAL)
    address, question = _asked(airflow, home, run)
    assert question["subject"] == "May v2 become champion (before: v1)?"
    assert "tuned is above champion v1, +0.200 (95% interval +0.150 to +0.250)" in question["body"]
    assert "| held-out questions |" in question["body"]
    assert registry.champion_name() == "v1"
    airflow.send("PATCH", address, {"chosen_options": ["Approve"], "params_input": {}})
    assert _states(run) == {"register": "success", "approve": "success", "promote": "success"}
    assert registry.champion_name() == "v2"
    move = registry.history()[-1]
    assert (move.before, move.after) == ("v1", "v2")
    assert move.who.startswith("admin, in task trade_qa.promote")


@pytest.mark.parametrize("answer", ["Reject", None])
def test_what_is_rejected_or_not_answered_stays_a_version(
    airflow: Server, home: LocalHome, registry: Registry, tmp_path: Path, answer: str | None
) -> None:
    before, names = registry.champion_name(), registry.names()
    run = _night(airflow, registry, tmp_path / f"rejected-{answer}", overrides=APPROVAL)
    address, _ = _asked(airflow, home, run)
    if answer:
        airflow.send("PATCH", address, {"chosen_options": [answer], "params_input": {}})
    assert _states(run) == {"register": "success", "approve": "success", "promote": "skipped"}
    assert registry.champion_name() == before
    assert len(registry.names()) == len(names) + 1


def test_what_the_gate_refuses_is_not_put_to_anybody(airflow: Server, registry: Registry, tmp_path: Path) -> None:
    before = registry.champion_name()
    run = _night(airflow, registry, tmp_path / "equal", gain=0.0, overrides=APPROVAL)
    assert _states(run) == {"register": "success", "approve": "skipped", "promote": "skipped"}
    assert registry.champion_name() == before
