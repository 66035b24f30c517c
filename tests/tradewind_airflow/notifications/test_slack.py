"""The safety net: told once, by whoever can still tell it."""

from __future__ import annotations

import os
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from slack_server import SlackServer
from telling import PAGE, RUN_ID, Night, buttons, header, section, small, told
from tradewind_airflow.notifications.slack import SlackFailureNotifier
from tradewind_airflow.notifications.thread import Thread, read_thread, write_thread
from tradewind_airflow.operators.report import NotifyRunOperator

CHANNEL = "{{ (params | default({})).get('slack_channel', '#tradewind') }}"
THREAD = Thread(channel="C00000002", ts="1699999999.000100")


def run_failed(night: Night, reason: str = "task_failure", **changes: Any) -> None:
    """As the DAG processor calls it."""
    SlackFailureNotifier(channel=CHANNEL)({**night.context("finetune"), "reason": reason, **changes})


def test_a_run_whose_notify_was_killed_is_told_in_its_thread(slack: SlackServer, night: Night) -> None:
    slack.threads.add(THREAD.ts)
    write_thread(night.path, THREAD)
    night.ended(notify="failed", evaluate="upstream_failed", baseline="failed")
    night.failed("finetune", AirflowFailException("lower max_length in the recipe"))
    run_failed(night)
    (message,) = slack.messages
    assert told(message) == {
        "channel": "C00000002",
        "thread_ts": THREAD.ts,
        "reply_broadcast": True,
        "text": "tiny: baseline and finetune failed",
        "blocks": [
            header(":x: tiny: baseline and finetune failed"),
            section(
                "*baseline* ended without a word; killed, perhaps out of memory "
                f"(<{PAGE}/tasks/baseline|log>)\n"
                f"*finetune* lower max_length in the recipe (<{PAGE}/tasks/finetune?try_number=1|log>)"
            ),
            small("not run: evaluate | run 2026-11-20 02:00 UTC | documents My Trade"),
            buttons(Open_the_log=f"{PAGE}/tasks/baseline", Open_the_run=PAGE),
        ],
    }
    assert read_thread(night.path) == THREAD.model_copy(update={"told": True, "failures": ("baseline", "finetune")})


@pytest.mark.parametrize(
    ("told_before", "failures", "notify", "reason", "tells"),
    [
        (True, ("finetune",), "success", "task_failure", False),
        (True, (), "success", "task_failure", True),  # promote failed after a success was told
        (True, ("finetune",), "failed", "task_failure", True),  # an earlier try's note
        (True, ("finetune",), "upstream_failed", "task_failure", True),
        (False, (), "success", "task_failure", True),
        (True, ("finetune",), "success", "timed_out", True),
    ],
)
def test_what_notify_has_told_is_not_told_again(
    slack: SlackServer,
    night: Night,
    told_before: bool,
    failures: tuple[str, ...],
    notify: str,
    reason: str,
    tells: bool,
) -> None:
    slack.threads.add(THREAD.ts)
    write_thread(night.path, THREAD.model_copy(update={"told": told_before, "failures": failures}))
    night.ended(finetune="failed", notify=notify)
    run_failed(night, reason)
    assert len(slack.messages) == tells


@pytest.mark.parametrize(("fails", "messages"), [("evaluate", 1), ("promote", 2)])
def test_a_failed_trial_that_the_run_did_without_is_no_news(
    slack: SlackServer, night: Night, fails: str, messages: int
) -> None:
    """Of a sweep: notify knows that it was no failure of the run's, and the safety net has to go by that."""
    night.ended(prepare="success", **({fails: "failed"} if fails == "evaluate" else {}))
    night.failed("extract", AirflowFailException("it diverged"), map_index=2)
    task = NotifyRunOperator(
        task_id="notify", channel="#tradewind", run_dir=str(night.path), done_without={"extract": "prepare"}
    )
    task.execute(night.context())  # type: ignore[arg-type]
    night.states |= {"notify": "success", fails: "failed"}
    run_failed(night)
    assert len(slack.messages) == messages
    if fails == "promote":
        assert slack.messages[1]["text"] == "tiny: promote failed"


@pytest.mark.parametrize(("notify", "tells"), [("success", False), ("failed", True), ("skipped", True)])
def test_where_the_runs_folder_is_not_seen_the_states_decide(
    slack: SlackServer, night: Night, monkeypatch: pytest.MonkeyPatch, notify: str, tells: bool
) -> None:
    night.ended(finetune="failed", notify=notify)
    monkeypatch.delenv("TRADEWIND_HOME")
    run_failed(night)
    assert [message["channel"] for message in slack.messages] == ["#tradewind"] * tells


def test_where_the_runs_folder_is_not_seen_nobody_is_said_to_have_been_killed(slack: SlackServer, night: Night) -> None:
    """The error's line may well stand there."""
    night.ended(finetune="failed", notify="failed")
    assert not night.path.exists()
    run_failed(night)
    assert slack.messages[0]["blocks"][1] == section("*finetune* its log says why")


def test_a_run_that_took_too_long_is_told_as_that(slack: SlackServer, night: Night) -> None:
    run_failed(night, "timed_out")
    assert slack.messages[0]["text"] == "tiny: the run failed"
    assert slack.messages[0]["blocks"][1] == section("the run's time limit has passed (dagrun_timeout)")


def test_with_the_least_that_airflow_may_give_it_still_tells(slack: SlackServer, night: Night) -> None:
    SlackFailureNotifier(channel=CHANNEL)({"dag": DAG("trade_qa"), "run_id": RUN_ID})
    assert slack.messages[0]["text"] == "trade_qa: the run failed"
    assert slack.messages[0]["blocks"][2] == small("run 2026-11-20 02:00 UTC")


def test_states_that_cannot_be_had_do_not_hinder_it(slack: SlackServer, night: Night) -> None:
    context = night.context("finetune")

    def away(*_: Any, **__: Any) -> None:
        raise RuntimeError("no API server")

    context["ti"].get_task_states = away
    SlackFailureNotifier()(context)
    assert slack.messages[0]["text"] == "tiny: the run failed"


def test_a_failed_run_without_slack_is_told_to_nobody(night: Night) -> None:
    run_failed(night)
    assert not [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]
    assert not night.path.exists()


def test_the_notifier_serves_the_next_run_with_that_runs_own_channel(slack: SlackServer, night: Night) -> None:
    notifier = SlackFailureNotifier(channel=CHANNEL)
    for channel in ("#general", "#tradewind"):
        night.params = {"slack_channel": channel}
        notifier({**night.context("finetune"), "reason": "timed_out"})
        (night.path / "slack.json").unlink()
    assert [message["channel"] for message in slack.messages] == ["#general", "#tradewind"]
