"""A run as its page shows it: what it was asked to do, what became of each stage, and who may change it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_pages import DAG_ID, FOREIGN, RUN_ID, login, set_state
from tradewind.files import write_atomically
from tradewind.recipes import resolve
from tradewind.run_dir import RunDir
from tradewind.run_settings import RunSettings, write_settings

RUN = "/tradewind/api/run"
Triggered = Callable[..., str]


@pytest.fixture
def shown(get: Any) -> Callable[..., dict[str, Any]]:
    def ask(run_id: str = RUN_ID, **more: Any) -> dict[str, Any]:
        answer = get(RUN, **{"dag_id": DAG_ID, "run_id": run_id} | more)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    return ask


def _change(run: RunDir, stage: str, **changes: Any) -> None:
    result = run.result(stage).model_copy(update=changes)
    write_atomically(run.result_file(stage), result.model_dump_json())


def _stages(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {stage["stage"]: stage for stage in body["stages"]}


def test_what_it_was_asked_to_do_comes_from_run_json(run: RunDir, triggered: Triggered, shown: Any) -> None:
    triggered()
    config = resolve("tiny", "embedded:ko", 7)
    write_settings(
        run,
        RunSettings(
            job_id=f"{DAG_ID}/{RUN_ID}", config=config, skip=("adapt",), force=True, version="0", resolved_at=""
        ),
    )
    body = shown()
    assert (body["recipe"], body["seed"], body["skip"], body["force"]) == ("tiny", 7, ["adapt"], True)
    assert body["data"] == config.data_dir
    assert (body["dag_id"], body["run_id"], body["run"]) == (DAG_ID, RUN_ID, run.path.name)
    assert body["state"] == "queued"


@pytest.mark.parametrize("damage", [None, "{", '{"schema_version": 9}', ""])
def test_without_a_good_run_json_the_stages_configuration_tells(
    run: RunDir, triggered: Triggered, shown: Any, damage: str | None
) -> None:
    triggered()
    if damage is not None:
        (run.path / "run.json").write_text(damage)
    body = shown()
    assert (body["recipe"], body["seed"], body["skip"], body["force"]) == ("tiny", 42, [], False)


def test_stages_come_in_their_order_with_airflows_states(run: RunDir, triggered: Triggered, shown: Any) -> None:
    triggered(prepare="success", finetune="running")
    body = shown()
    named = [stage["stage"] for stage in body["stages"]]
    assert named == ["extract", "prepare", "baseline", "adapt", "finetune", "evaluate", "report", "register"]
    stages = _stages(body)
    assert (stages["prepare"]["state"], stages["finetune"]["state"], stages["report"]["state"]) == (
        "success", "running", None,
    )  # fmt: skip
    assert [name for name, stage in stages.items() if not stage["skippable"]] == ["prepare"]


def test_made_cached_and_skipped_are_told_apart(run: RunDir, triggered: Triggered, shown: Any) -> None:
    triggered(prepare="success", finetune="success", evaluate="skipped", baseline="success")
    _change(run, "finetune", status="cached", source_run="an-earlier-run")
    _change(run, "evaluate", status="skipped", source_run="another", reason="skipped on request")
    stages = _stages(shown())
    assert stages["prepare"]["outcome"] == "made"
    assert (stages["finetune"]["outcome"], stages["finetune"]["source_run"]) == ("cached", "an-earlier-run")
    assert (stages["evaluate"]["outcome"], stages["evaluate"]["reason"]) == ("skipped", "skipped on request")
    assert stages["baseline"]["outcome"] is None  # by Airflow a success, but it published nothing


@pytest.mark.parametrize("state", ["running", "queued", "failed", "up_for_retry"])
def test_an_earlier_trys_result_is_not_told_as_this_ones(
    run: RunDir, triggered: Triggered, shown: Any, state: str
) -> None:
    triggered(finetune=state)
    assert _stages(shown())["finetune"]["outcome"] is None


def test_a_damaged_result_leaves_the_rest_to_be_seen(run: RunDir, triggered: Triggered, shown: Any) -> None:
    triggered(prepare="success", finetune="success")
    run.result_file("finetune").write_text("{")
    stages = _stages(shown())
    assert (stages["prepare"]["outcome"], stages["finetune"]["outcome"]) == ("made", None)


def test_seconds_are_airflows(run: RunDir, triggered: Triggered, shown: Any) -> None:
    triggered()
    from datetime import UTC, datetime, timedelta

    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import update

    began = datetime(2026, 11, 20, 2, tzinfo=UTC)
    for task_id, ended in (("prepare", began + timedelta(seconds=12.34)), ("finetune", None)):
        with create_session() as session:
            session.execute(
                update(TaskInstance)
                .where(TaskInstance.run_id == RUN_ID, TaskInstance.task_id == task_id)
                .values(start_date=began, end_date=ended)
            )
    stages = _stages(shown())
    assert stages["prepare"]["seconds"] == 12.3
    assert stages["finetune"]["seconds"] > 0
    assert stages["report"]["seconds"] is None


def test_the_report_that_stands_there_may_be_another_runs(run: RunDir, triggered: Triggered, shown: Any) -> None:
    triggered()
    assert (shown()["has_report"], shown()["report_of"]) == (True, run.path.name)
    _change(run, "report", status="cached", source_run="an-earlier-run")
    assert shown()["report_of"] == "an-earlier-run"
    (run.published("report") / "report.html").unlink()
    assert (shown()["has_report"], shown()["report_of"]) == (False, None)


def test_a_foreign_run_is_no_run_of_tradewind(home: Path, triggered: Triggered, shown: Any) -> None:
    body = shown(triggered(dag_id=FOREIGN), dag_id=FOREIGN)
    assert (body["run"], body["stages"], body["has_report"], body["recipe"]) == (None, [], False, None)
    assert body["state"] == "queued"


def test_a_run_that_airflow_does_not_know_is_404(run: RunDir, get: Any) -> None:
    answer = get(RUN, dag_id=DAG_ID, run_id="manual__never")
    assert (answer.status_code, answer.json()) == (404, {"detail": "no such run"})


def test_a_run_id_whose_plus_came_unencoded_is_found(run: RunDir, triggered: Triggered, client: Any) -> None:
    triggered()
    answer = client.get(f"{RUN}?dag_id={DAG_ID}&run_id={RUN_ID}", headers=login("admin"))
    assert answer.json()["run_id"] == RUN_ID


def test_who_may_change_tasks_is_airflows_word(run: RunDir, triggered: Triggered, shown: Any) -> None:
    triggered()
    assert shown()["may_edit"] is True
    assert shown(user="reader")["may_edit"] is False


def test_the_pages_way_to_skip_is_open_to_who_may_edit_and_to_nobody_else(
    run: RunDir, triggered: Triggered, client: Any, shown: Any
) -> None:
    """Airflow's own route, which the page calls; `may_edit` says what it will answer."""
    triggered()
    set_state(DAG_ID, RUN_ID, "prepare", "success")
    place = f"/api/v2/dags/{DAG_ID}/dagRuns/{RUN_ID}/taskInstances/finetune"
    for user, status in ((None, 401), ("stranger", 403), ("reader", 403), ("admin", 200)):
        answer = client.patch(place, json={"new_state": "skipped"}, headers=login(user))
        assert answer.status_code == status, (user, answer.text)
    stages = _stages(shown())
    assert (stages["finetune"]["state"], stages["finetune"]["skippable"]) == ("skipped", False)
