"""The report as Block Kit: within Slack's limits, escaped, and readable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk import WebClient

from champion import with_champion
from slack_server import SlackServer
from tradewind.judging.record import JudgeRecord
from tradewind.reporting.contract import Report
from tradewind.scores import GroupScore
from tradewind_airflow.notifications.message import blocks, cut, escape, headline, plain_text, slack_table

LINK = "http://localhost:8080/dags/trade_qa/runs/manual"
MENTION = re.compile(r"<[!@#]")


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer("xoxb-test") as server:
        yield server


def _post(slack: SlackServer, found: list[dict[str, Any]]) -> None:
    """SlackApiError where a block breaks Slack's rules."""
    client = WebClient("xoxb-test", base_url=slack.base_url)
    client.chat_postMessage(channel="#general", text="a report", blocks=found)
    assert slack.messages[-1]["blocks"] == found


def _markdown(found: list[dict[str, Any]]) -> list[str]:
    """Every text that Slack reads as markup."""
    texts = [block["text"] for block in found if "text" in block]
    texts += [element for block in found for element in block.get("elements", ()) if "text" in element]
    return [text["text"] for text in texts if text.get("type") == "mrkdwn"]


def _huge(report: Report, text: str) -> Report:
    changes = {"groups": report.scores.groups * 40, "verdict_reason": text, "encoder": text}
    scores = report.scores.model_copy(update=changes)
    return report.model_copy(
        update={"recipe": text, "run": text, "model": text, "warnings": (text,) * 60, "scores": scores}
    )


def test_slack_takes_it(slack: SlackServer, report: Report) -> None:
    _post(slack, blocks(report, LINK))
    kinds = [block["type"] for block in slack.messages[0]["blocks"]]
    assert kinds == ["header", "section", "section", "context", "context", "section", "actions"]


@pytest.mark.parametrize("text", ["x" * 5000, "&" * 5000, "<" * 700, "무역" * 2500, "a\n" * 2500, "🚢" * 3000])
def test_slack_takes_it_however_long_it_is(slack: SlackServer, report: Report, text: str) -> None:
    found = blocks(_huge(report, text), LINK)
    _post(slack, found)
    assert len(found) <= 50


@pytest.mark.parametrize("count", [0, 1, 2])
def test_cutting_leaves_every_entity_whole(report: Report, count: int) -> None:
    found = blocks(_huge(report, "y" * count + "<" * 5000), LINK)
    broken = [re.findall(r"&(?!amp;|lt;|gt;)[^;]{0,5}", text) for text in _markdown(found)]
    assert [entity for entities in broken for entity in entities] == []


def test_a_long_table_stays_a_code_block(report: Report) -> None:
    (table,) = (text for text in _markdown(blocks(_huge(report, "x"), None)) if "base" in text and "```" in text)
    assert table.startswith("```")
    assert table.endswith("```")
    assert table.count("```") == 2


def test_nothing_a_document_says_is_markup(report: Report) -> None:
    texts = _markdown(blocks(report, LINK))
    assert texts
    assert not [text for text in texts if MENTION.search(text)]
    assert (
        sum("&lt;!channel&gt; {{ 7*7 }} {% no tag %} &amp; &lt;b&gt;" in text for text in texts) == 3
    )  # verdict, model, warning


@pytest.mark.parametrize(
    ("text", "escaped"), [("a & b", "a &amp; b"), ("<@U1>", "&lt;@U1&gt;"), ("&lt;", "&amp;lt;"), ("무역", "무역")]
)
def test_escape(text: str, escaped: str) -> None:
    assert escape(text) == escaped


@pytest.mark.parametrize(("text", "limit", "expected"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("", 3, "")])
def test_cut(text: str, limit: int, expected: str) -> None:
    assert cut(text, limit) == expected


def test_the_table_has_the_headline_metric_of_each_group_with_n_and_interval(report: Report) -> None:
    assert slack_table(report.scores).splitlines() == [
        "              n    base   tuned",
        "reworded     40   0.500   0.980",
        "  en SemScore",
        "  vs base +0.480 [+0.430, +0.530] p <0.001",
        "read         40   0.580   0.610",
        "  en SemScore",
        "  vs base +0.030 [-0.020, +0.080] p 0.500",
        "unseen       40   0.550   0.540",
        "  en SemScore",
        "  vs base -0.010 [-0.060, +0.040] p 0.500",
        "reworded     40   0.200   0.650",
        "  ko chrF",
        "  vs base +0.450 [+0.400, +0.500] p <0.001",
    ]


def test_the_log_has_every_metric(report: Report) -> None:
    text = plain_text(report)
    assert text.splitlines()[0] == headline(report)
    rows = [line.split("  ")[0] for line in text.splitlines() if " (en)" in line or " (ko)" in line]
    assert rows[-6:] == ["reworded (en)"] * 2 + ["read (en)", "unseen (en)"] + ["reworded (ko)"] * 2
    assert re.search(r"reworded \(ko\) +SemScore \(blind\) +40 +0\.890 .* 0\.880 .* 30/4/6$", text, re.MULTILINE)


@pytest.mark.parametrize("verdict", ["better", "worse", "no difference shown"])
def test_the_verdict_stands_first(report: Report, verdict: str) -> None:
    changed = report.model_copy(update={"scores": report.scores.model_copy(update={"verdict": verdict})})
    header, first, *_ = blocks(changed, None)
    assert header["text"]["text"] == f"Tradewind: {report.recipe}"
    assert f"*{verdict}*" in first["text"]["text"]
    assert verdict in headline(changed)


def test_without_warnings_there_is_no_word_of_them(report: Report) -> None:
    assert any("Warnings" in text for text in _markdown(blocks(report, None)))
    assert not any("Warnings" in text for text in _markdown(blocks(report.model_copy(update={"warnings": ()}), None)))


@pytest.mark.parametrize(("link", "has_button"), [(LINK, True), (None, False), ("", False), (LINK + "y" * 3000, False)])
def test_a_button_needs_a_link(report: Report, link: str | None, has_button: bool) -> None:
    elements = [element for block in blocks(report, link) for element in block.get("elements", ())]
    urls = [element["url"] for element in elements if "url" in element]
    assert urls == ([link] if has_button else [])


def test_the_champion_is_named_with_interval_and_p_where_there_is_one(slack: SlackServer, report: Report) -> None:
    assert "champion" not in " ".join(_markdown(blocks(report, None)))
    changed = report.model_copy(update={"scores": with_champion(report.scores)})
    found = blocks(changed, LINK)
    _post(slack, found)
    texts = _markdown(found)
    assert texts[1].startswith(
        "Tuned minus champion: +0.480 [+0.430, +0.530] by SemScore on reworded (en, n=40, p &lt;0.001"
    )
    assert slack_table(changed.scores).splitlines()[3:5] == [
        "  vs base +0.480 [+0.430, +0.530] p <0.001",
        "  vs champion +0.480 [+0.430, +0.530] p <0.001",
    ]
    assert "tuned - champion" in plain_text(changed)


def test_a_champion_that_is_compared_on_fewer_questions_or_none_is_told(report: Report) -> None:
    scores = with_champion(report.scores)
    first, second, *others = scores.groups

    def changed(group: GroupScore, **changes: Any) -> GroupScore:
        metric = group.metrics[0].model_copy(update=changes)
        return group.model_copy(update={"metrics": (metric, *group.metrics[1:])})

    comparisons = first.metrics[0].comparisons
    few = comparisons["champion"].model_copy(update={"n": 12})
    none = {"comparisons": {"base": few}, "no_comparison": {"champion": "no interval: only 3 <of> them"}}
    groups = (changed(first, comparisons=comparisons | {"champion": few}), changed(second, **none), *others)
    told = report.model_copy(update={"scores": scores.model_copy(update={"groups": groups})})
    assert "  vs champion +0.480 [+0.430, +0.530] p <0.001 n 12" in slack_table(told.scores).splitlines()
    assert any(
        "no interval by SemScore on read (en): only 3 &lt;of&gt; them" in text for text in _markdown(blocks(told, None))
    )


def test_the_judge_stands_with_its_agreement_and_what_it_left_unscored(report: Report) -> None:
    record = JudgeRecord(
        model="gpt-<x>", prompt_sha256={"en": "ab" * 32}, samples=1, unscored={"base": 0, "tuned": 3},
        anchors_kappa=0.857, anchors_n=24,
    )  # fmt: skip
    texts = _markdown(blocks(_judged(report, record), None))
    assert any("judge gpt-&lt;x&gt;, kappa 0.86 on 24 examples, unscored: tuned 3" in text for text in texts)
    assert any("en truthfulness" in text for text in texts)


def _judged(report: Report, record: JudgeRecord | None) -> Report:
    group = report.scores.groups[0]
    judged = group.metrics[0].model_copy(update={"metric": "truthfulness"})
    groups = (group.model_copy(update={"metrics": (*group.metrics, judged)}),)
    changes = {"groups": groups, "judge": "gpt-x", "judge_record": record}
    return report.model_copy(update={"scores": report.scores.model_copy(update=changes)})


def test_the_judges_drift_stands_apart_from_the_warnings_however_many_there_are(report: Report) -> None:
    record = JudgeRecord(model="j", prompt_sha256={"en": "ab" * 32}, samples=1, drift="judge j: it fell to <0.2>")
    warnings = (*(f"warning {number} " + "&" * 2000 for number in range(7)), "evaluate: judge j: it fell to <0.2>")
    texts = _markdown(blocks(_judged(report, record).model_copy(update={"warnings": warnings}), None))
    assert [text for text in texts if "it fell to" in text] == [
        ":warning: *The judge*\njudge j: it fell to &lt;0.2&gt;"
    ]
    (told,) = (text for text in texts if "*Warnings*" in text)
    assert [f"warning {number}" in told for number in range(7)] == [True] * 5 + [False] * 2
    assert told.endswith("\n… and 2 more")
    few = _markdown(blocks(_judged(report, record).model_copy(update={"warnings": warnings[-1:]}), None))
    assert not any("*Warnings*" in text for text in few)


@pytest.mark.parametrize("measured", [True, False])
def test_truthfulness_is_named_only_where_it_was_measured(report: Report, measured: bool) -> None:
    report = _judged(report, None) if measured else report
    text = " ".join(_markdown(blocks(report, None)))
    assert ("judge gpt-x" in text) is measured
    assert ("truthfulness not measured" in text) is not measured


def test_what_became_of_the_model_stands_below_the_verdict_and_is_escaped(report: Report) -> None:
    found = blocks(report, None, "v2 is champion (before: <v1>)")
    assert found[2]["text"]["text"] == "*v2 is champion (before: &lt;v1&gt;)*"
    assert "v2 is champion" in plain_text(report, "v2 is champion")
    assert len(found) == len(blocks(report, None)) + 1
