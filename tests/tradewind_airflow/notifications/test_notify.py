"""How a run ended, as Slack is told: the exact messages, through the real client, over a socket."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
)

from champion import with_champion
from slack_server import SlackServer
from telling import PAGE, TOKEN, Night, buttons, header, section, small, told
from tradewind.files import write_atomically
from tradewind.registry.store import Registry, models_path
from tradewind.reporting.contract import Report
from tradewind_airflow.local.server import free_port
from tradewind_airflow.notifications.thread import Thread, read_thread, write_thread
from tradewind_airflow.operators.report import NotifyRunOperator

PNG = b"\x89PNG\r\n\x1a\n of a test"
REGISTERED = {"version": "v1", "promoted": True, "asks": False, "reasons": [], "said": "v1 is champion (the first)"}
ASKS = {"version": "v2", "promoted": False, "asks": True, "said": "v2 waits for approval (before: v1)",
        "reasons": ["tuned is above champion v1, +0.200 (95% interval +0.150 to +0.250)"]}  # fmt: skip


def notify(night: Night, **settings: Any) -> None:
    task = NotifyRunOperator(task_id="notify", channel="#tradewind", run_dir=str(night.path), **settings)
    task.execute(night.context())  # type: ignore[arg-type]


def thread_of(slack: SlackServer, night: Night) -> dict[str, Any]:
    """Open the run's thread; gives what every message in it says of its place."""
    slack.threads.add("1699999999.000100")
    write_thread(night.path, Thread(channel="C00000002", ts="1699999999.000100"))
    return {"channel": "C00000002", "thread_ts": "1699999999.000100"}


def test_success_is_told_with_the_table_and_the_thread_gets_details_and_picture(
    slack: SlackServer, night: Night
) -> None:
    night.scored()
    (night.path / "report" / "scores.png").write_bytes(PNG)
    night.ended()
    place = thread_of(slack, night)
    notify(night, registered=REGISTERED)
    first, more = slack.messages

    def row(*cells: str) -> list[dict[str, str]]:
        return [{"type": "raw_text", "text": cell} for cell in cells]

    table = {
        "type": "table",
        "column_settings": [{"is_wrapped": True}, *[{"is_wrapped": True, "align": "right"}] * 2],
        "rows": [
            row("held-out questions", "before → tuned", "difference"),
            *(
                row(f"{kind} (en) SemScore, n 40", "0.500 → 0.750", "+0.200 [+0.150, +0.250]")
                for kind in ("reworded", "read", "unseen")
            ),
        ],
    }
    assert told(first) == place | {
        "reply_broadcast": True,
        "text": "tiny: better, v1 is champion (the first)",
        "blocks": [
            header(":white_check_mark: tiny: better"),
            section("tuned is above base"),
            section("*v1 is champion (the first)*"),
            small("run 2026-11-20 02:00 UTC | seed 42 | 4 s of work"),
            buttons(Open_the_run=PAGE),
        ],
        "attachments": [{"blocks": [table]}],
    }
    assert told(more) == place | {
        "reply_broadcast": False,
        "text": "tiny: how it was made",
        "blocks": [
            section("*Stages*\n• prepare: 1 s\n• finetune: 1 s\n• evaluate: 1 s\n• report: 1 s"),
            small(
                "model embedded:tiny-gemma2 | encoder embedded:all-MiniLM-L6-v2 | truthfulness not measured: no judge"
            ),
        ],
    }
    assert slack.shared == [{"id": "F00000001", "title": "tiny: better", "channel": "C00000002",
                             "thread_ts": "1699999999.000100"}]  # fmt: skip
    assert slack.uploads == {"F00000001": PNG}
    start = next(call for call in slack.calls if call.method == "files.getUploadURLExternal")
    assert (start.form["filename"], start.form["length"]) == ("scores.png", str(len(PNG)))
    assert start.form["alt_txt"] == "Scores by kind of held-out question, with intervals: better"
    assert read_thread(night.path) == Thread(channel="C00000002", ts="1699999999.000100", told=True)


def test_a_failure_names_the_task_its_error_and_its_log(
    slack: SlackServer, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWIND_SLACK_MENTION", "<!subteam^S012AB> <@U1>")
    night.ended(evaluate="upstream_failed", report="upstream_failed", register="upstream_failed")
    error = AirflowFailException("/srv/My Trade/exam.json: record 3: no answer; add one")
    night.failed("finetune", error, try_number=2)
    place = thread_of(slack, night)
    notify(night)
    (message,) = slack.messages
    assert told(message) == place | {
        "reply_broadcast": True,
        "text": "tiny: finetune failed",
        "blocks": [
            header(":x: tiny: finetune failed"),
            section("<!subteam^S012AB> <@U1>\n*finetune* exam.json: record 3: no answer; add one"),
            small("not run: evaluate, report, register | run 2026-11-20 02:00 UTC | documents My Trade"),
            buttons(Open_the_log=f"{PAGE}/tasks/finetune?try_number=2", Open_the_run=PAGE),
        ],
    }
    thread = read_thread(night.path)
    assert thread is not None
    assert (thread.told, thread.failures) == (True, ("finetune",))


def test_a_task_that_was_killed_without_a_word_is_told_as_that(slack: SlackServer, night: Night) -> None:
    night.ended(finetune="failed", evaluate="upstream_failed")
    place = thread_of(slack, night)
    notify(night)
    (message,) = slack.messages
    assert told(message) == place | {
        "reply_broadcast": True,
        "text": "tiny: finetune failed",
        "blocks": [
            header(":x: tiny: finetune failed"),
            section("*finetune* ended without a word; killed, perhaps out of memory"),
            small("not run: evaluate | run 2026-11-20 02:00 UTC | documents My Trade"),
            buttons(Open_the_log=f"{PAGE}/tasks/finetune", Open_the_run=PAGE),
        ],
    }


def test_several_failures_each_have_their_log_in_the_pipelines_order(slack: SlackServer, night: Night) -> None:
    night.ended(prepare="upstream_failed")
    night.failed("baseline", ValueError("what <!channel> says"))
    night.failed("extract", AirflowTaskTimeout("Timeout, PID: 1"), map_index=11)
    night.failed("extract", AirflowException("the server is away"), map_index=2)
    notify(night, mention="")
    (message,) = slack.messages
    assert message["text"] == "tiny: extract[2], extract[11] and baseline failed"
    assert message["blocks"][1] == section(
        f"*extract[2]* the server is away (<{PAGE}/tasks/extract/mapped/2?try_number=1|log>)\n"
        "*extract[11]* ended at its time limit (execution_timeout) "
        f"(<{PAGE}/tasks/extract/mapped/11?try_number=1|log>)\n"
        f"*baseline* ValueError: what &lt;!channel&gt; says (<{PAGE}/tasks/baseline?try_number=1|log>)"
    )
    assert message["channel"] == "#tradewind"


@pytest.mark.parametrize(
    ("after", "text"), [("upstream_failed", "tiny: announce failed"), ("success", "tiny: no scores")]
)
def test_a_task_that_only_tells_fails_nothing_unless_others_had_to_wait_for_it(
    slack: SlackServer, night: Night, after: str, text: str
) -> None:
    night.ended(announce="failed", prepare=after)
    notify(night)
    assert slack.messages[0]["text"] == text


@pytest.mark.parametrize(
    ("after", "text"), [("upstream_failed", "tiny: extract[2] failed"), ("success", "tiny: no scores")]
)
def test_what_another_task_did_without_fails_nothing(slack: SlackServer, night: Night, after: str, text: str) -> None:
    night.ended(prepare=after)
    night.failed("extract", AirflowException("it diverged"), map_index=2)
    notify(night, done_without={"extract": "prepare"})
    assert slack.messages[0]["text"] == text


def test_nothing_new_is_one_short_message(slack: SlackServer, night: Night, tmp_path: Path) -> None:
    night.scored()
    night.standing("cached", "prepare", "finetune", "evaluate", "report")
    night.ended(register="skipped")
    registry = Registry(models_path(tmp_path / "home", "trade_qa"))
    registry.path.mkdir(parents=True)
    registry.pointer.symlink_to("versions/v3")
    place = thread_of(slack, night)
    notify(night)
    (message,) = slack.messages
    assert told(message) == place | {
        "reply_broadcast": True,
        "text": "tiny: nothing new",
        "blocks": [
            section(
                ":zzz: *tiny: nothing new* since run 2026-11-19 02:00 UTC: same documents, same settings. "
                "v3 stays champion."
            ),
            small("run 2026-11-20 02:00 UTC"),
            buttons(Open_the_run=PAGE),
        ],
    }
    assert slack.shared == []


def test_a_stage_that_was_skipped_on_request_is_no_unchanged_one(slack: SlackServer, night: Night) -> None:
    """What stands in for it was made of the documents of then: nobody looked at those of today."""
    night.scored()
    night.standing("cached", "finetune", "evaluate", "report")
    night.standing("skipped", "prepare")
    night.ended(prepare="skipped", register="skipped")
    notify(night)
    assert slack.messages[0]["text"] == "tiny: better"
    assert "same documents" not in json.dumps(slack.messages)


def test_what_an_earlier_try_of_the_run_registered_is_not_told_of_this_one(slack: SlackServer, night: Night) -> None:
    night.scored()
    night.standing("cached", "prepare", "finetune", "evaluate", "report")
    night.ended(register="skipped")
    notify(night, registered=ASKS)
    assert [message["text"] for message in slack.messages] == ["tiny: nothing new"]


def test_a_wish_for_approval_says_why_and_leads_to_the_question(slack: SlackServer, night: Night) -> None:
    night.scored()
    night.ended(approve="awaiting_input")
    place = thread_of(slack, night)
    notify(night, registered=ASKS)
    first = told(slack.messages[0])
    del first["attachments"]
    assert first == place | {
        "reply_broadcast": True,
        "text": "tiny: better, v2 waits for approval",
        "blocks": [
            header(":white_check_mark: tiny: better, v2 waits for approval"),
            section("tuned is above base"),
            section(
                ":raised_hand: *May v2 become champion?*\n"
                "• tuned is above champion v1, +0.200 (95% interval +0.150 to +0.250)\n"
                "Unanswered, the champion stays."
            ),
            small("run 2026-11-20 02:00 UTC | seed 42 | 4 s of work"),
            buttons(Approve_or_reject=f"{PAGE}/tasks/approve/required_actions?map_index=-1", Open_the_run=PAGE),
        ],
    }
    thread = read_thread(night.path)
    assert thread is not None
    assert thread.asks == "v2"


def test_stages_that_stand_in_are_named_with_their_run(slack: SlackServer, night: Night) -> None:
    night.scored(adapted=True)
    night.standing("skipped", "prepare")
    night.standing("cached", "adapt")
    night.ended(prepare="skipped")
    notify(night, registered=REGISTERED)
    assert slack.messages[0]["blocks"][3:5] == [
        small("skipped (run 2026-11-19 02:00 UTC stands in): prepare | reused (run 2026-11-19 02:00 UTC): adapt"),
        small("run 2026-11-20 02:00 UTC | seed 42 | 3 s of work"),
    ]


def test_without_scores_the_message_says_what_was_left_out(slack: SlackServer, night: Night) -> None:
    night.ended(evaluate="skipped", report="skipped")
    notify(night)
    assert [block["text"]["text"] for block in slack.messages[0]["blocks"][:1]] == [
        ":fast_forward: *tiny: no scores*\n• no stage left a result"
    ]


def test_a_result_of_another_run_in_this_folder_is_not_told(slack: SlackServer, night: Night) -> None:
    night.scored()
    for file in night.path.glob("*/result.json"):
        file.write_text(file.read_text().replace('"job_id":null', '"job_id":"trade_qa/another"'))
    night.ended()
    notify(night)
    assert slack.messages[0]["text"] == "tiny: no scores"


def test_the_first_message_opens_the_thread_where_none_was_opened(slack: SlackServer, night: Night) -> None:
    night.scored()
    night.ended()
    notify(night)
    first, more = slack.messages
    assert first["channel"] == "#tradewind"
    assert "thread_ts" not in first
    assert more["thread_ts"] == "1700000001.000100"


def test_a_thread_that_is_gone_leaves_the_channel(slack: SlackServer, night: Night) -> None:
    night.scored()
    night.ended()
    write_thread(night.path, Thread(channel="C00000002", ts="1.1"))
    notify(night)
    assert slack.messages[0]["channel"] == "#tradewind"
    assert "thread_ts" not in slack.messages[0]
    assert slack.messages[1]["thread_ts"] == "1700000001.000100"


def test_where_slack_takes_no_tables_a_code_block_stands_above_the_buttons(
    night: Night, connected: Callable[..., None]
) -> None:
    night.scored()
    night.ended()
    with SlackServer(TOKEN, takes_tables=False) as slack:
        connected(slack)
        notify(night, registered=REGISTERED)
    *_, code, last = slack.messages[0]["blocks"]
    assert code["text"]["text"].splitlines()[:3] == [
        "```              n    base   tuned",
        "reworded     40   0.500   0.750",
        "  en SemScore",
    ]
    assert last["type"] == "actions"
    assert "attachments" not in slack.messages[0]


def test_without_the_scope_for_files_the_message_goes_out_and_the_log_says_what_is_missing(
    night: Night, connected: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    night.scored()
    (night.path / "report" / "scores.png").write_bytes(PNG)
    night.ended()
    with SlackServer(TOKEN, scopes=frozenset({"chat:write"})) as slack:
        connected(slack)
        notify(night, registered=REGISTERED)
        assert len(slack.messages) == 2
        assert slack.shared == []
    assert "scores.png is not in Slack: missing_scope; give the Slack app the scope files:write" in caplog.text


@pytest.fixture
def hostile(night: Night, report: Report) -> Night:
    """A night whose report and documents mean harm, with a champion."""
    night.scored()
    changed = report.model_copy(update={"scores": with_champion(report.scores), "worst": report.best})
    write_atomically(night.path / "report" / "report.json", changed.model_dump_json())
    night.ended()
    return night


def test_what_documents_say_mentions_nobody_and_is_never_rendered(slack: SlackServer, hostile: Night) -> None:
    notify(hostile, registered=REGISTERED, mention="<@U1>")
    sent = json.dumps(slack.messages)
    assert "&lt;!channel&gt; {{ 7*7 }} {% no tag %} &amp; &lt;b&gt;" in sent
    for message in slack.messages:
        marked = [block for block in message["blocks"] if block["type"] != "header"]  # plain text knows no mentions
        assert "<!" not in json.dumps(marked) + message["text"]


@pytest.mark.parametrize(("setting", "argument", "shown"), [(None, None, True), ("0", None, False), ("1", False, False),
                                                            ("0", True, True)])  # fmt: skip
def test_answers_are_quoted_unless_that_is_turned_off(
    slack: SlackServer, hostile: Night, monkeypatch: pytest.MonkeyPatch, setting: str | None, argument: bool | None,
    shown: bool,
) -> None:  # fmt: skip
    if setting is not None:
        monkeypatch.setenv("TRADEWIND_SLACK_EXAMPLES", setting)
    notify(hostile, examples=argument)
    first, more = (json.dumps(message) for message in slack.messages)
    assert "a bill of lading" not in first
    assert ("_tuned_: a bill of lading" in more) is shown
    assert ("Helped least" in more) is shown


_EVIL = "\n".join(
    ["/home/anna/secret plans/a.json", "xoxb-1234567890-abc", "hf_abcdefghij", "sk-abcdefghij", "Bearer abc.def123456",
     "https://anna:geheim@db.example/x", "<!channel> <@U1> <!here>", "x" * 5000, "\x00\x1b[31m\u202e",
     "무역 `거래` " * 700]
)  # fmt: skip


def test_nothing_of_a_hostile_error_gets_out(slack: SlackServer, night: Night) -> None:
    night.ended()
    for task_id in ("prepare", "adapt", "finetune", "evaluate", "report", "register"):
        night.failed(task_id, RuntimeError(_EVIL))
    night.params["recipe"] = night.params["data"] = "/etc/tradewind/" + _EVIL
    notify(night, mention="<@U1>")
    (message,) = slack.messages
    _holds_no_harm(json.dumps(message, ensure_ascii=False))
    marked = json.dumps([block for block in message["blocks"] if block["type"] != "header"]) + message["text"]
    assert marked.count("<@U1>") == 1  # whom the operator named
    assert "<!" not in marked


def test_nothing_of_a_hostile_report_gets_out(slack: SlackServer, night: Night, report: Report) -> None:
    night.scored()
    example = report.best[0].model_copy(update={"question": _EVIL, "reference": _EVIL, "answers": {"tuned": _EVIL}})
    scores = report.scores.model_copy(
        update={"verdict_reason": _EVIL, "encoder": _EVIL, "groups": report.scores.groups * 40}
    )
    changed = {"recipe": _EVIL, "model": _EVIL, "warnings": (_EVIL,) * 60, "best": (example,), "scores": scores}
    write_atomically(night.path / "report" / "report.json", report.model_copy(update=changed).model_dump_json())
    night.ended()
    notify(night, registered=ASKS | {"version": _EVIL, "reasons": [_EVIL] * 9})
    assert len(slack.messages) == 2
    _holds_no_harm(json.dumps(slack.messages, ensure_ascii=False))


_SAID = 'He said "it is fine" and it\'s all of the document, to the last word of the very last page'


@pytest.mark.parametrize("line", [f"no answer in {_SAID!r}", f"no answer in {_SAID!r}" * 40, f"{_SAID!r:.70}…"])
def test_what_an_error_quotes_at_length_stays_in_the_house(slack: SlackServer, night: Night, line: str) -> None:
    """Whatever quotation marks are in it, also where its end is cut off."""
    night.ended()
    night.failed("prepare", ValueError(line))
    notify(night)
    sent = json.dumps(slack.messages)
    assert "prepare failed" in sent
    assert "document" not in sent.replace("documents", "")


def test_many_long_errors_leave_every_link_whole(
    slack: SlackServer, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", f"https://airflow.example/{'deployments/' * 20}night")
    night.ended()
    for index in range(9):
        night.failed("extract", RuntimeError("x" * 600), map_index=index)
    notify(night, mention="<@U1>")
    text = slack.messages[0]["blocks"][1]["text"]["text"]
    assert len(text) <= 3000
    lines = [line for line in text.splitlines() if line.startswith("*extract")]
    assert lines
    assert all(line.endswith("|log>)") for line in lines)
    assert text.endswith(f"… and {9 - len(lines)} more")


def _holds_no_harm(sent: str) -> None:
    for word in (
        "/home",
        "/etc",
        "anna",
        "1234567890",
        "hf_a",
        "sk-a",
        "abc.def",
        "geheim",
        "\\u0000",
        "\\u001b",
        "\u202e",
    ):
        assert word not in sent


def test_a_run_that_never_got_a_configuration_is_told_by_its_form(slack: SlackServer, night: Night) -> None:
    night.states |= {"configure": "failed", "shards": "upstream_failed", "notify": "running"}
    night.params = {}
    notify(night)
    assert slack.messages[0]["text"] == "trade_qa: configure failed"


def test_without_slack_it_is_skipped_and_everything_is_in_the_log(night: Night, events: list[Any]) -> None:
    night.scored()
    night.ended()
    with pytest.raises(AirflowSkipException, match="no SLACK_TOKEN and no connection"):
        notify(night, registered=REGISTERED)
    logged = "\n".join(event["event"] for event in events)
    assert ":white_check_mark: tiny: better" in logged
    assert "*v1 is champion (the first)*" in logged
    assert "+0.200 [+0.150, +0.250]" in logged
    assert str(night.path / "report/report.html") in "\n".join(repr(event) for event in events)


def test_a_rate_limit_is_waited_for_and_the_message_comes_once(night: Night, connected: Callable[..., None]) -> None:
    night.ended(finetune="failed")
    with SlackServer(TOKEN, rate_limited=2, retry_after=1) as slack:
        connected(slack)
        began = time.monotonic()
        notify(night)
        assert time.monotonic() - began >= 2
        assert (len(slack.messages), len(slack.calls)) == (1, 3)


def test_a_rate_limit_without_end_leaves_it_to_the_tasks_retries(night: Night, connected: Callable[..., None]) -> None:
    night.ended(finetune="failed")
    with SlackServer(TOKEN, rate_limited=99, retry_after=0) as slack:
        connected(slack)
        with pytest.raises(AirflowException, match="ratelimited") as caught:
            notify(night)
        assert not isinstance(caught.value, AirflowFailException)
        assert slack.messages == []


def test_a_slack_that_is_down_leaves_it_to_the_tasks_retries_and_nothing_counts_as_told(
    night: Night, connected: Callable[..., None]
) -> None:
    connected(f"http://127.0.0.1:{free_port()}/api/")
    night.ended(finetune="failed")
    write_thread(night.path, Thread(channel="C00000002", ts="1.1", told=True, failures=("finetune",)))
    with pytest.raises(AirflowException, match="Slack cannot be reached: URLError") as caught:
        notify(night)
    assert not isinstance(caught.value, AirflowFailException)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert read_thread(night.path) == Thread(channel="C00000002", ts="1.1")


@pytest.mark.parametrize(("token", "reason"), [("xoxb-revoked-1", "invalid_auth"), (TOKEN, "missing_scope")])
def test_what_no_retry_mends_fails_the_task_with_one_line(
    night: Night, connected: Callable[..., None], token: str, reason: str
) -> None:
    night.ended(finetune="failed")
    with SlackServer(TOKEN, scopes=frozenset()) as slack:
        connected(slack, token=token)
        with pytest.raises(AirflowFailException, match=reason) as caught:
            notify(night)
        assert len(slack.calls) == 1
    assert "\n" not in str(caught.value)
    assert token not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("content", [None, "{}"])
def test_a_report_that_cannot_be_read_fails_the_task(slack: SlackServer, night: Night, content: str | None) -> None:
    night.scored()
    night.ended()
    file = night.path / "report" / "report.json"
    file.unlink() if content is None else file.write_text(content, encoding="utf-8")
    with pytest.raises(AirflowFailException, match="run the stage 'report'") as caught:
        notify(night)
    assert str(caught.value).startswith(str(file))
    assert slack.calls == []


@pytest.mark.parametrize("mention", ["@anna", "<@anna>", "<!everyone> please", "U123"])
def test_a_mention_that_slack_would_not_understand_is_refused_where_it_is_written(
    slack: SlackServer, night: Night, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mention: str
) -> None:
    with pytest.raises(ValueError, match="give Slack's own form"):
        NotifyRunOperator(task_id="notify", mention=mention)
    # A wrong setting of the host calls nobody: the failure must go out.
    monkeypatch.setenv("TRADEWIND_SLACK_MENTION", mention)
    night.ended(finetune="failed")
    notify(night)
    assert slack.messages[0]["blocks"][1]["text"]["text"].startswith("*finetune*")
    assert "TRADEWIND_SLACK_MENTION" in caplog.text
