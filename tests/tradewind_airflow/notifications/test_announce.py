"""A run's first message, and the thread that it opens."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from slack_server import SlackServer
from telling import PAGE, RUN_ID, TOKEN, Night, buttons, section, small, told
from tradewind.recipes import resolve
from tradewind.run_dir import RunDir
from tradewind.run_settings import RunSettings, write_settings
from tradewind_airflow.local.server import free_port
from tradewind_airflow.notifications.thread import Thread, read_thread
from tradewind_airflow.operators.announce import AnnounceRunOperator


def announce(night: Night, try_number: int = 1) -> None:
    AnnounceRunOperator(task_id="announce", channel="#tradewind", run_dir=str(night.path)).execute(
        night.context("announce", try_number=try_number)  # type: ignore[arg-type]
    )


def test_the_message_says_what_runs_and_opens_the_thread(slack: SlackServer, night: Night) -> None:
    announce(night)
    (message,) = slack.messages
    assert told(message) == {
        "channel": "#tradewind",
        "text": "tiny: run started",
        "blocks": [
            section(":arrow_forward: *tiny* started: documents `My Trade`, seed 42"),
            small("by schedule, run 2026-11-20 02:00 UTC"),
            buttons(Open_the_run=PAGE),
        ],
    }
    assert read_thread(night.path) == Thread(channel="C00000002", ts="1700000001.000100")


def test_it_says_what_differs_from_a_plain_night(slack: SlackServer, night: Night, tmp_path: Any) -> None:
    config = resolve("tiny", "embedded:ko", 7, {"finetune.num_train_epochs": 3})
    params = {"recipe": "tiny", "data": "embedded:ko", "seed": 7, "epochs": 3, "learning_rate": None,
              "slack_channel": "#x"}  # fmt: skip
    settings = RunSettings(
        job_id=f"trade_qa/{RUN_ID}", config=config, skip=("prepare", "adapt"), force=True, params=params,
        version="0.1.0", resolved_at="2026-11-20T02:00:01+00:00",
    )  # fmt: skip
    write_settings(RunDir(night.path), settings)
    announce(night)
    first, small_print, *_ = slack.messages[0]["blocks"]
    assert first == section(":arrow_forward: *tiny* started: documents `embedded:ko`, seed 7")
    assert small_print == small("changed: epochs 3 | skip: prepare, adapt | force: nothing is reused")


@pytest.mark.parametrize(
    ("dag_run", "who"),
    [
        (SimpleNamespace(run_type="manual", triggering_user_name="anna"), "by anna"),
        (SimpleNamespace(run_type="manual", triggering_user_name=None), "by hand"),
        (SimpleNamespace(run_type="manual", triggering_user_name="<!channel>"), "by &lt;!channel&gt;"),
        (SimpleNamespace(run_type="backfill"), "by a backfill"),
        (SimpleNamespace(run_type="asset_triggered", consumed_asset_events=[]), "by new data"),
        (
            SimpleNamespace(
                run_type="asset_triggered",
                consumed_asset_events=[SimpleNamespace(asset=SimpleNamespace(name="documents"))] * 2,
            ),
            "by new data (documents)",
        ),
    ],
)
def test_it_says_who_or_what_triggered_it(slack: SlackServer, night: Night, dag_run: Any, who: str) -> None:
    night.dag_run = dag_run
    announce(night)
    assert slack.messages[0]["blocks"][1] == small(f"{who}, run 2026-11-20 02:00 UTC")


def test_a_cleared_run_goes_on_in_its_thread_and_nothing_counts_as_told(slack: SlackServer, night: Night) -> None:
    announce(night)
    first = read_thread(night.path)
    assert first is not None
    (night.path / "slack.json").write_text(first.model_copy(update={"told": True}).model_dump_json())
    announce(night, try_number=2)
    again = slack.messages[1]
    assert (again["text"], again["thread_ts"], again["channel"]) == ("tiny: run started again", first.ts, "C00000002")
    assert again["reply_broadcast"] is False
    assert read_thread(night.path) == first


def test_without_slack_it_is_skipped_and_the_message_is_in_the_log(night: Night, events: list[Any]) -> None:
    with pytest.raises(AirflowSkipException, match="no SLACK_TOKEN and no connection"):
        announce(night)
    assert ":arrow_forward: *tiny* started: documents `My Trade`, seed 42" in [event["event"] for event in events]
    assert not (night.path / "slack.json").exists()


@pytest.mark.parametrize("fault", ["refused", "away"])
def test_a_fault_of_slacks_never_fails_the_run(night: Night, connected: Callable[..., None], fault: str) -> None:
    with SlackServer(TOKEN) as slack:
        if fault == "refused":
            connected(slack, token="xoxb-revoked-1")
        else:
            connected(f"http://127.0.0.1:{free_port()}/api/")
        with pytest.raises(AirflowSkipException, match=r"not announced: (invalid_auth|.*Error)"):
            announce(night)
        assert slack.messages == []
    assert not (night.path / "slack.json").exists()
