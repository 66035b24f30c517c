"""What became of a version that waited for an approval."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from slack_server import SlackServer
from telling import PAGE, Night, buttons, header, section, small, told
from tradewind.errors import UserError
from tradewind.registry.store import Registry, models_path
from tradewind_airflow.notifications.answer import keep_answer
from tradewind_airflow.notifications.thread import Thread, read_thread, write_thread
from tradewind_airflow.operators.report import NotifyPromotionOperator

ASKS = {"version": "v2", "asks": True, "said": "v2 waits for approval (before: v1)"}
PROMOTED = {"version": "v2", "asks": False, "promoted": True, "said": "v2 is champion (before: v1)"}
PLACE = {"channel": "C00000002", "thread_ts": "1699999999.000100", "reply_broadcast": True}


def tell(night: Night, registered: Any = ASKS, promoted: Any = None) -> None:
    task = NotifyPromotionOperator(
        task_id="tell_promotion", channel="#tradewind", run_dir=str(night.path), registered=registered,
        promoted=promoted, mention="<!here>",
    )  # fmt: skip
    task.execute(night.context("tell_promotion"))  # type: ignore[arg-type]


@pytest.fixture
def asked(slack: SlackServer, night: Night, tmp_path: Path) -> Night:
    """A night whose version waits; v1 is champion."""
    registry = Registry(models_path(tmp_path / "home", "trade_qa"))
    registry.path.mkdir(parents=True)
    registry.pointer.symlink_to("versions/v1")
    slack.threads.add("1699999999.000100")
    write_thread(night.path, Thread(channel="C00000002", ts="1699999999.000100", told=True, asks="v2"))
    return night


def answered(night: Night, approved: bool, user: dict[str, str] | None) -> None:
    """As Airflow's ApprovalOperator leaves its answer for the task's callback."""
    summary = {"approved": approved, "responded_by_user": user}
    keep_answer({**night.context("approve"), "task": SimpleNamespace(hitl_summary_extra=summary)})  # type: ignore[typeddict-item]


def test_who_approved_is_named(slack: SlackServer, asked: Night) -> None:
    answered(asked, True, {"id": "1", "name": "anna"})
    tell(asked, promoted=PROMOTED)
    (message,) = slack.messages
    assert told(message) == PLACE | {
        "text": "tiny: v2 is champion (before: v1), approved by anna",
        "blocks": [
            section(":trophy: *v2 is champion (before: v1), approved by anna*"),
            small("tiny, run 2026-11-20 02:00 UTC"),
            buttons(Open_the_run=PAGE),
        ],
    }
    thread = read_thread(asked.path)
    assert thread is not None
    assert thread.asks is None


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"id": "1", "name": "anna <b>"}, "v2 was rejected by anna &lt;b&gt;; v1 stays champion"),
        (None, "v2 was not approved in time; v1 stays champion"),
    ],
)
def test_a_no_and_silence_are_told_apart(
    slack: SlackServer, asked: Night, user: dict[str, str] | None, said: str
) -> None:
    answered(asked, False, user)
    tell(asked)
    assert slack.messages[0]["blocks"][0] == section(f":no_entry_sign: *{said}*")


def test_what_an_earlier_try_of_the_run_promoted_is_not_told_of_this_one(slack: SlackServer, asked: Night) -> None:
    """Cleared, and rejected now: what a task returned stays until it starts again, which a skipped one never does."""
    asked.states |= {"register": "success", "approve": "success", "promote": "skipped"}
    answered(asked, False, {"id": "1", "name": "anna"})
    tell(asked, promoted=PROMOTED)
    assert slack.messages[0]["blocks"][0] == section(":no_entry_sign: *v2 was rejected by anna; v1 stays champion*")


def test_where_nothing_was_registered_this_time_nobody_was_asked(slack: SlackServer, asked: Night) -> None:
    asked.states |= {"finetune": "failed", "register": "upstream_failed", "promote": "upstream_failed"}
    with pytest.raises(AirflowSkipException, match="nobody was asked"):
        tell(asked, promoted=PROMOTED)
    assert slack.messages == []


@pytest.mark.parametrize(
    ("promoted", "said"),
    [
        (PROMOTED, ":trophy: *v2 is champion (before: v1), approved*"),
        (None, ":no_entry_sign: *v2 was not approved; v1 stays champion*"),
    ],
)
def test_without_a_kept_answer_nobody_is_named(slack: SlackServer, asked: Night, promoted: Any, said: str) -> None:
    tell(asked, promoted=promoted)
    assert slack.messages[0]["blocks"][0] == section(said)


def test_a_promotion_that_failed_is_a_failure(slack: SlackServer, asked: Night) -> None:
    asked.failed("promote", UserError("v2: damaged; register again"))
    tell(asked)
    assert slack.messages[0]["blocks"][:2] == [
        header(":x: tiny: promote failed"),
        section("<!here>\n*promote* v2: damaged; register again"),
    ]
    thread = read_thread(asked.path)
    assert thread is not None
    assert thread.failures == ("promote",)


@pytest.mark.parametrize("registered", [None, {}, {"version": "v1", "asks": False, "promoted": True}])
def test_where_nobody_was_asked_there_is_nothing_to_tell(slack: SlackServer, asked: Night, registered: Any) -> None:
    with pytest.raises(AirflowSkipException, match="nobody was asked"):
        tell(asked, registered)
    assert slack.calls == []
