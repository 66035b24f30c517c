"""Block Kit within Slack's limits, whatever is said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from champion import with_champion
from slack_server import SlackServer
from telling import RUN_ID
from tradewind.judging.record import JudgeRecord
from tradewind.reporting.contract import Report
from tradewind.scores import GroupScore
from tradewind_airflow.notifications.about import About
from tradewind_airflow.notifications.client import SlackPlace
from tradewind_airflow.notifications.message import Message, bullets, buttons, context, cut, escape, header, plain
from tradewind_airflow.notifications.messages.details import details
from tradewind_airflow.notifications.messages.result import Approval, result, table
from tradewind_airflow.notifications.outcome import Outcome, duration

ABOUT = About("trade_qa", RUN_ID, "tiny", "embedded:en", "42")
NOTHING = Outcome(())


def _huge(report: Report, text: str) -> tuple[Message, Message]:
    changes = {"groups": report.scores.groups * 40, "verdict_reason": text, "encoder": text}
    scores = report.scores.model_copy(update=changes)
    changed = report.model_copy(
        update={"recipe": text, "run": text, "model": text, "warnings": (text,) * 60, "scores": scores}
    )
    about = About("trade_qa", text, text, text, text)
    approval = Approval(text, (text,) * 9, "approve", None)
    return result(changed, about, NOTHING, approval=approval), details(changed, NOTHING, examples=True)


def _markdown(message: Message) -> list[str]:
    """Every text that Slack reads as markup."""
    texts = [block["text"] for block in message.blocks if "text" in block]
    texts += [element for block in message.blocks for element in block.get("elements", ()) if "text" in element]
    return [text["text"] for text in texts if text.get("type") == "mrkdwn"]


@pytest.mark.parametrize("takes_tables", [True, False])
@pytest.mark.parametrize(
    "text", ["x" * 5000, "&" * 5000, "<" * 700, "무역" * 2500, "a\n" * 2500, "🚢" * 3000, "/a" * 2500]
)
def test_slack_takes_it_however_long_it_is(
    slack: SlackServer, tmp_path: Path, report: Report, text: str, takes_tables: bool
) -> None:
    slack.takes_tables = takes_tables
    place = SlackPlace(tmp_path, channel="#general")
    for message in _huge(report, text):
        place.post(message)
    assert len(slack.messages) == 2
    assert ("attachments" in slack.messages[0]) is takes_tables


def test_slack_makes_nothing_of_a_plain_text_by_itself(report: Report) -> None:
    """Else `@here` and `#general` of a document would become a mention and a link: what the texts do not escape."""
    found = [block.get("text") for message in _huge(report, "@here") for block in message.blocks]
    found += [element for message in _huge(report, "@here") for block in message.blocks
              for element in block.get("elements", ())]  # fmt: skip
    marked = [text for text in found if text and text["type"] == "mrkdwn"]
    assert marked
    assert all(text["verbatim"] is True for text in marked)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_cutting_leaves_every_entity_whole(report: Report, count: int) -> None:
    found = [text for message in _huge(report, "y" * count + "<" * 5000) for text in _markdown(message)]
    broken = [re.findall(r"&(?!amp;|lt;|gt;)[^;]{0,5}", text) for text in found]
    assert [entity for entities in broken for entity in entities] == []


@pytest.mark.parametrize(
    ("text", "escaped"), [("a & b", "a &amp; b"), ("<@U1>", "&lt;@U1&gt;"), ("&lt;", "&amp;lt;"), ("무역", "무역")]
)
def test_escape(text: str, escaped: str) -> None:
    assert escape(text) == escaped
    assert plain(escaped) == text


@pytest.mark.parametrize(("text", "limit", "expected"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("", 3, "")])
def test_cut(text: str, limit: int, expected: str) -> None:
    assert cut(text, limit) == expected


def test_bullets_say_how_many_are_left_out() -> None:
    assert bullets(["a", "<b>", "c", "d"], 2, 10) == "• a\n• &lt;b&gt;\n… and 2 more"


@pytest.mark.parametrize("link", [None, "", "http://x/" + "y" * 3000])
def test_a_button_needs_an_address_that_slack_takes(link: str | None) -> None:
    assert buttons(("Open", link)) is None
    assert context(None, "") is None
    assert header("/srv/x " * 100)["text"]["text"].startswith("x x x")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (89, "89 s"), (91, "2 min"), (5300, "88 min"), (5400, "1.5 h"), (72000, "20 h")]
)
def test_durations_are_said_as_a_person_would(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_the_table_has_a_row_for_each_comparison_of_a_headline_metric(report: Report) -> None:
    found = table(with_champion(report.scores))
    assert found.rows[:4] == (
        ("held-out questions", "before → tuned", "difference"),
        ("reworded (en) SemScore, n 40", "0.500 → 0.980", "+0.480 [+0.430, +0.530]"),
        ("reworded (en) SemScore vs champion, n 40", "0.500 → 0.980", "+0.480 [+0.430, +0.530]"),
        ("read (en) SemScore, n 40", "0.580 → 0.610", "+0.030 [-0.020, +0.080]"),
    )
    assert found.rows[-2][0] == "reworded (ko) chrF, n 40"
    assert found.code.splitlines()[:5] == [
        "              n    base   tuned",
        "reworded     40   0.500   0.980",
        "  en SemScore",
        "  vs base +0.480 [+0.430, +0.530] p <0.001",
        "  vs champion +0.480 [+0.430, +0.530] p <0.001",
    ]


def test_a_champion_that_is_compared_on_fewer_questions_or_none_is_told(report: Report) -> None:
    scores = with_champion(report.scores)
    first, second, *others = scores.groups

    def changed(group: GroupScore, **changes: object) -> GroupScore:
        metric = group.metrics[0].model_copy(update=changes)
        return group.model_copy(update={"metrics": (metric, *group.metrics[1:])})

    comparisons = first.metrics[0].comparisons
    few = comparisons["champion"].model_copy(update={"n": 12})
    none = {"comparisons": {"base": few}, "no_comparison": {"champion": "no interval: only 3 <of> them"}}
    groups = (changed(first, comparisons=comparisons | {"champion": few}), changed(second, **none), *others)
    told = report.model_copy(update={"scores": scores.model_copy(update={"groups": groups})})
    assert table(told.scores).rows[2][0] == "reworded (en) SemScore vs champion, n 12"
    assert table(told.scores).rows[4][2] == "-"
    notes = next(text for text in _markdown(details(told, NOTHING, examples=False)) if text.startswith("*Notes*"))
    assert "read (en), SemScore, champion: no interval: only 3 &lt;of&gt; them" in notes


def _judged(report: Report, record: JudgeRecord | None) -> Report:
    group = report.scores.groups[0]
    judged = group.metrics[0].model_copy(update={"metric": "truthfulness"})
    groups = (group.model_copy(update={"metrics": (*group.metrics, judged)}),)
    changes = {"groups": groups, "judge": "gpt-x", "judge_record": record}
    return report.model_copy(update={"scores": report.scores.model_copy(update=changes)})


def test_the_judge_stands_with_its_agreement_and_what_it_left_unscored(report: Report) -> None:
    record = JudgeRecord(
        model="gpt-<x>", prompt_sha256={"en": "ab" * 32}, samples=1, unscored={"base": 0, "tuned": 3},
        anchors_kappa=0.857, anchors_n=24,
    )  # fmt: skip
    judged = _judged(report, record)
    texts = _markdown(details(judged, NOTHING, examples=False))
    assert any("judge gpt-&lt;x&gt;, kappa 0.86 on 24 examples, unscored: tuned 3" in text for text in texts)
    assert table(judged.scores).rows[-1][0] == "reworded (en) truthfulness, n 40"


@pytest.mark.parametrize("measured", [True, False])
def test_truthfulness_is_named_only_where_it_was_measured(report: Report, measured: bool) -> None:
    text = json.dumps(details(_judged(report, None) if measured else report, NOTHING, examples=False).blocks)
    assert ("judge gpt-x" in text) is measured
    assert ("truthfulness not measured" in text) is not measured


def test_the_judges_drift_stands_with_the_verdict_and_not_among_the_warnings(report: Report) -> None:
    record = JudgeRecord(model="j", prompt_sha256={"en": "ab" * 32}, samples=1, drift="judge j: it fell to <0.2>")
    warnings = (*(f"warning {number} " + "&" * 2000 for number in range(7)), "evaluate: judge j: it fell to <0.2>")
    judged = _judged(report, record).model_copy(update={"warnings": warnings})
    first, more = _markdown(result(judged, ABOUT, NOTHING)), _markdown(details(judged, NOTHING, examples=False))
    assert ":warning: *The judge*\njudge j: it fell to &lt;0.2&gt;" in first
    (told,) = (text for text in more if "*Warnings*" in text)
    assert "it fell to" not in told
    assert [f"warning {number}" in told for number in range(7)] == [True] * 5 + [False] * 2
    assert told.endswith("\n… and 2 more")
    assert any("7 warnings in the thread" in text for text in first)
    few = judged.model_copy(update={"warnings": warnings[-1:]})
    assert not any("in the thread" in text for text in _markdown(result(few, ABOUT, NOTHING)))
    assert not any("*Warnings*" in text for text in _markdown(details(few, NOTHING, examples=False)))


@pytest.mark.parametrize("verdict", ["better", "worse", "no difference shown"])
def test_the_verdict_stands_first(report: Report, verdict: str) -> None:
    scores = report.scores.model_copy(update={"verdict": verdict})
    found = result(report.model_copy(update={"scores": scores, "recipe": "tiny"}), ABOUT, NOTHING)
    assert found.text == f"tiny: {verdict}"
    assert re.fullmatch(rf":\w+: tiny: {verdict}", found.blocks[0]["text"]["text"])
