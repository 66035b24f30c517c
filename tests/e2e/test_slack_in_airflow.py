"""What a real Airflow lets Slack be told: by tasks, by the DAG processor, and by an executor once a run is late."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from documents import REPOSITORY
from finished_run import finished_run
from slack_server import SlackServer
from tradewind.registry.store import Registry, models_path
from tradewind.run_dir import run_path
from tradewind_airflow.local.home import LocalHome
from tradewind_airflow.local.server import Server, free_port, started
from tries import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
TOKEN = "xoxb-marker-0816"
DAG_FILE = """
import os
import signal
import time
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, BaseOperator

from tradewind_airflow.notifications.answer import keep_answer
from tradewind_airflow.notifications.deadline import deadline_alert
from tradewind_airflow.notifications.errors import CALLBACKS
from tradewind_airflow.notifications.slack import SlackFailureNotifier
from tradewind_airflow.operators.announce import AnnounceRunOperator
from tradewind_airflow.operators.promotion import (
    ApprovePromotionOperator,
    PromoteModelOperator,
    RegisterModelOperator,
)
from tradewind_airflow.operators.report import NotifyPromotionOperator, NotifyRunOperator


class Work(BaseOperator):
    def execute(self, context):
        match context["params"]["how"]:
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "error":
                raise ValueError("/srv/documents/exam.json: record 3, token xoxb-1234567890")
            case "slow":
                until = time.monotonic() + 120
                while time.monotonic() < until and not Path(context["params"]["until"]).exists():
                    time.sleep(0.2)


class Muted(NotifyRunOperator):
    def execute(self, context):
        if context["params"]["mute"]:
            os.kill(os.getpid(), signal.SIGKILL)
        super().execute(context)


SETTINGS = {
    "schedule": None,
    "is_paused_upon_creation": False,
    "params": {"how": "well", "mute": False, "until": "", "recipe": "tiny", "data": "embedded:en", "seed": 42,
               "slack_channel": "#tradewind"},
    "default_args": CALLBACKS,
}

with DAG("nights", on_failure_callback=SlackFailureNotifier(channel="#general"), **SETTINGS):
    announce, work = AnnounceRunOperator(task_id="announce"), Work(task_id="work")
    notify = Muted(task_id="notify").as_teardown(on_failure_fail_dagrun=False)
    announce >> work >> notify

with DAG("late", deadline=deadline_alert(hours=2 / 3600, channel="#general"), **SETTINGS):
    Work(task_id="work")

with DAG("asked", **SETTINGS):
    register = RegisterModelOperator(task_id="register")
    approve = ApprovePromotionOperator(
        task_id="approve", registered=register.output, response_timeout=timedelta(seconds=3),
        on_success_callback=keep_answer,
    )
    promote = PromoteModelOperator(task_id="promote", registered=register.output, approval=approve.output)
    tell = NotifyPromotionOperator(task_id="tell_promotion", registered=register.output, promoted=promote.output)
    tell.as_teardown(on_failure_fail_dagrun=False)
    notify = NotifyRunOperator(task_id="notify", registered=register.output).as_teardown(on_failure_fail_dagrun=False)
"""


class PatientHome(LocalHome):
    """Its tasks wait for the API server on a busy machine: a failure that Airflow itself makes would be told, too."""

    def environment(self, port: int, page_port: int | None = None) -> dict[str, str]:
        return super().environment(port, page_port) | {"AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60"}


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackServer]:
    with SlackServer(TOKEN) as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, slack: SlackServer) -> Iterator[LocalHome]:
    project = tmp_path_factory.mktemp("project")
    (project / "dags").mkdir()
    (project / "dags" / "nights.py").write_text(DAG_FILE, encoding="utf-8")
    (project / "plugins").symlink_to(REPOSITORY / "plugins")
    connection = {"conn_type": "slack", "password": TOKEN, "extra": {"base_url": slack.base_url}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADEWIND_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("AIRFLOW_CONN_SLACK_API_DEFAULT", json.dumps(connection))
        patch.delenv("SLACK_TOKEN", raising=False)
        yield PatientHome(project)


@pytest.fixture(scope="module")
def airflow(home: LocalHome) -> Iterator[Server]:
    with started(home, free_port()) as server:
        server.log_in()
        wait_for(lambda: server.get("/dags/asked").status_code == 200, "the DAG file is read", 120)
        yield server


def trigger(airflow: Server, dag_id: str, run_id: str, **conf: Any) -> None:
    body: dict[str, object] = {"dag_run_id": run_id, "conf": conf, "logical_date": None}
    airflow.send("POST", f"/dags/{dag_id}/dagRuns", body)


def ended(airflow: Server, dag_id: str, run_id: str) -> str:
    path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
    wait_for(lambda: airflow.get(path).json()["state"] in ("success", "failed"), "the run has ended", 120)
    return str(airflow.get(path).json()["state"])


def states(airflow: Server, dag_id: str, run_id: str) -> dict[str, str]:
    found = airflow.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances").json()["task_instances"]
    return {task["task_id"]: task["state"] for task in found}


def texts(slack: SlackServer, run_id: str) -> list[str]:
    """What was told of this run: each message names it."""
    return [message["text"] for message in slack.messages if run_id in json.dumps(message["blocks"])]


def of(slack: SlackServer, run_id: str, text: str) -> dict[str, Any]:
    (found,) = (m for m in slack.messages if m["text"] == text and run_id in json.dumps(m["blocks"]))
    return found


def test_a_task_that_is_killed_is_told_by_notify_and_the_safety_net_keeps_silent(
    airflow: Server, home: LocalHome, slack: SlackServer
) -> None:
    trigger(airflow, "nights", "killed-1", how="killed")
    assert ended(airflow, "nights", "killed-1") == "failed"
    assert states(airflow, "nights", "killed-1") == {"announce": "success", "work": "failed", "notify": "success"}

    def looked() -> bool:
        logs = (home.airflow / "logs" / "dag_processor").rglob("*.log")
        return any("the failure was told by notify" in log.read_text(encoding="utf-8") for log in logs)

    wait_for(looked, "the DAG's callback has run", 120)
    assert texts(slack, "killed-1") == ["tiny: run started", "tiny: work failed"]
    message = of(slack, "killed-1", "tiny: work failed")
    assert message["blocks"][1]["text"]["text"] == "*work* ended without a word; killed, perhaps out of memory"
    assert (message["channel"], message["reply_broadcast"]) == ("C00000002", True)
    assert message["thread_ts"] in slack.threads


def test_where_notify_dies_too_the_dags_callback_tells_the_error_in_the_thread(
    airflow: Server, slack: SlackServer
) -> None:
    trigger(airflow, "nights", "muted-1", how="error", mute=True)
    assert ended(airflow, "nights", "muted-1") == "failed"
    wait_for(lambda: "tiny: work failed" in texts(slack, "muted-1"), "the DAG's callback has told it", 120)
    message = of(slack, "muted-1", "tiny: work failed")
    assert message["blocks"][1]["text"]["text"] == "*work* ValueError: exam.json: record 3, token [secret]"
    assert (message["channel"], message["reply_broadcast"]) == ("C00000002", True)


def test_a_run_that_goes_well_is_not_failed_by_what_tells_of_it(airflow: Server, slack: SlackServer) -> None:
    trigger(airflow, "nights", "well-1", mute=True)
    assert ended(airflow, "nights", "well-1") == "success"
    assert states(airflow, "nights", "well-1")["notify"] == "failed"


def test_a_late_run_is_told_while_it_goes_on(airflow: Server, slack: SlackServer, tmp_path: Path) -> None:
    until = tmp_path / "until"
    trigger(airflow, "late", "late-1", how="slow", until=str(until))
    wait_for(lambda: "late: not finished after 2 s" in texts(slack, "late-1"), "the deadline is told", 120)
    assert states(airflow, "late", "late-1")["work"] != "success"
    assert of(slack, "late-1", "late: not finished after 2 s")["channel"] == "#general"
    until.touch()
    assert ended(airflow, "late", "late-1") == "success"


def test_a_question_without_an_answer_is_told_as_that(airflow: Server, home: LocalHome, slack: SlackServer) -> None:
    finished_run(run_path(home.path, "asked", "asked-1"), overrides={"gate.approval": True})
    trigger(airflow, "asked", "asked-1")
    assert ended(airflow, "asked", "asked-1") == "success"
    found = states(airflow, "asked", "asked-1")
    assert (found["approve"], found["promote"], found["tell_promotion"]) == ("success", "skipped", "success")
    assert "tiny: v1 was not approved in time; there is no champion" in texts(slack, "asked-1")
    assert "tiny: better, v1 waits for approval" in texts(slack, "asked-1")
    assert Registry(models_path(home.path, "asked")).champion_name() is None
