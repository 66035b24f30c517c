"""A run that takes too long, by Airflow's own classes of deadlines and callbacks."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from airflow.sdk import DAG
from airflow.sdk.execution_time.callback_supervisor import execute_callback
from airflow.serialization.serialized_objects import DagSerialization
from structlog.testing import capture_logs

from slack_server import SlackServer
from telling import PAGE, RUN_ID, Night, buttons, header, section, small, told
from tradewind.files import write_atomically
from tradewind.progress import Progress
from tradewind_airflow.notifications.deadline import deadline_alert
from tradewind_airflow.notifications.thread import Thread, write_thread

PROGRESS = Progress(
    stage="finetune", step=120, max_steps=400, epoch=0.9, loss=1.5, tokens_per_second=900.0, seconds_left=2400.0,
    gpu_memory_bytes=None, gpu_memory_total=None, started_at="2026-11-20T02:10:00+00:00",
    updated_at="2026-11-20T08:00:00+00:00",
)  # fmt: skip


def run_callback(**changes: Any) -> None:
    """As an executor's worker runs what the scheduler put into its queue."""
    alert = deadline_alert(hours=6)
    assert alert is not None
    run = {"dag_id": "trade_qa", "dag_run_id": RUN_ID, "state": "running", "conf": None} | changes
    context = {"dag_run": run, "deadline": {"id": "1", "deadline_time": datetime.now(UTC)}}
    with capture_logs():
        kwargs = alert.callback.kwargs | {"context": context}
        done, why = execute_callback(alert.callback.path, kwargs, Path(), None, structlog.get_logger())
    assert done, why


def test_the_deadline_is_a_setting_in_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRADEWIND_DEADLINE_HOURS", raising=False)
    assert deadline_alert() is None
    monkeypatch.setenv("TRADEWIND_DEADLINE_HOURS", "1.5")
    alert = deadline_alert()
    assert alert is not None
    assert alert.interval == timedelta(hours=1.5)
    assert alert.callback.path == "tradewind_airflow.notifications.deadline.tell_late"
    # As the scheduler gets it.
    with DAG("late", deadline=alert) as dag:
        pass
    assert DagSerialization.to_dict(dag)["dag"]["deadline"]


@pytest.mark.parametrize("stated", ["soon", "0", "-1", "nan", "inf", "1e9"])
def test_what_is_no_number_of_hours_is_refused_when_the_dag_is_read(
    monkeypatch: pytest.MonkeyPatch, stated: str
) -> None:
    monkeypatch.setenv("TRADEWIND_DEADLINE_HOURS", stated)
    with pytest.raises(ValueError, match=r"TRADEWIND_DEADLINE_HOURS: .* is not a number of hours"):
        deadline_alert()


def test_a_late_run_is_told_with_what_its_training_does(
    slack: SlackServer, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWIND_SLACK_MENTION", "<!here>")
    slack.threads.add("1699999999.000100")
    write_thread(night.path, Thread(channel="C00000002", ts="1699999999.000100"))
    (night.path / ".finetune.work").mkdir()
    write_atomically(night.path / ".finetune.work" / "progress.json", PROGRESS.model_dump_json())
    run_callback(conf={"recipe": "tiny"})
    (message,) = slack.messages
    assert told(message) == {
        "channel": "C00000002",
        "thread_ts": "1699999999.000100",
        "reply_broadcast": True,
        "text": "tiny: not finished after 6 h",
        "blocks": [
            header(":hourglass: tiny: not finished after 6 h"),
            section("<!here>\nfinetune is at step 120 of 400, about 40 min left."),
            small("run 2026-11-20 02:00 UTC"),
            buttons(Open_the_run=PAGE),
        ],
    }


def test_a_training_that_has_been_silent_for_long_is_said_to_be_so(slack: SlackServer, night: Night) -> None:
    """It may have failed, hang, or wait to be tried again: how much time it has left then nobody knows."""
    file = night.path / ".finetune.work" / "progress.json"
    file.parent.mkdir(parents=True)
    write_atomically(file, PROGRESS.model_dump_json())
    os.utime(file, times=(time.time() - 3 * 3600,) * 2)
    run_callback()
    assert slack.messages[0]["blocks"][1] == section("finetune was at step 120 of 400; its last word came 3 h ago.")


def test_a_run_that_waits_for_an_approval_is_told_as_that(slack: SlackServer, night: Night) -> None:
    slack.threads.add("1699999999.000100")
    write_thread(night.path, Thread(channel="C00000002", ts="1699999999.000100", told=True, asks="v2"))
    run_callback()
    blocks = slack.messages[0]["blocks"]
    assert blocks[1] == section("v2 still waits for an approval; the next run may have to wait for it.")
    assert blocks[-1]["elements"][0]["url"] == f"{PAGE}/tasks/approve/required_actions?map_index=-1"


@pytest.mark.parametrize(("conf", "channel"), [(None, "#tradewind"), ({"slack_channel": "#general"}, "#general")])
def test_a_run_without_a_thread_is_told_in_the_channel_of_its_form(
    slack: SlackServer, night: Night, conf: dict[str, str] | None, channel: str
) -> None:
    run_callback(conf=conf)
    assert slack.messages[0]["channel"] == channel
    assert slack.messages[0]["blocks"][1] == section("See the run's page for what it waits for.")


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_run_that_has_ended_is_not_late(slack: SlackServer, night: Night, state: str) -> None:
    run_callback(state=state)
    assert slack.calls == []


def test_without_slack_it_is_in_the_log_only(night: Night, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    run_callback()
    assert f"no Slack: run {RUN_ID} is not finished after 6 h" in caplog.text
