"""A report as a Slack message: Block Kit, and the same as plain text for the log."""

from __future__ import annotations

import re
from typing import Any

from tradewind.reporting.contract import Report
from tradewind.reporting.notes import against_champion, judge_line
from tradewind.reporting.table import score_rows, text_table
from tradewind.scores import METRIC_NAMES, Scores

# https://docs.slack.dev/reference/block-kit/blocks: header 150 characters, section text 3000, button url 3000.
_HEADER, _SECTION, _URL = 150, 3000, 3000
_WARNINGS, _WARNING = 5, 550  # so many fit into a section
_MARKS = {"better": ":white_check_mark:", "worse": ":x:", "no difference shown": ":heavy_minus_sign:"}


def plain_text(report: Report, promotion: str | None = None) -> str:
    """The message without markup; see `blocks`."""
    said = f"\n{promotion}" if promotion else ""
    return f"{headline(report)}\n{report.scores.verdict_reason}{said}\n\n{text_table(report.scores)}"


def headline(report: Report) -> str:
    """One line: the verdict, the recipe and the run."""
    return f"{report.recipe}: {report.scores.verdict} ({report.run})"


def blocks(report: Report, link: str | None, promotion: str | None = None) -> list[dict[str, Any]]:
    """Block Kit blocks; every text that comes from a document or a model is escaped as Slack asks.

    Args:
        link: address of the run's page in Airflow; None leaves the button out.
        promotion: what became of the model, such as "v2 is champion (before: v1)".
    """
    verdict = f"{_MARKS[report.scores.verdict]} *{report.scores.verdict}*\n{escape(report.scores.verdict_reason)}"
    trained = [f"{stage.stage} {stage.seconds:.0f} s" for stage in report.stages]
    drift = report.scores.judge_record.drift if report.scores.judge_record else None
    found: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": cut(f"Tradewind: {report.recipe}", _HEADER)}},
        _section(verdict),
        *([_section(f"*{escape(promotion)}*")] if promotion else []),
        *([_section(escape(champion))] if (champion := against_champion(report.scores)) else []),
        *([_section(f":warning: *The judge*\n{escape(drift)}")] if drift else []),
        _section(f"```{escape(cut(slack_table(report.scores), _SECTION - 300))}```"),
        _context(f"run `{escape(report.run)}` | model {escape(report.model)} | seed {report.seed}"),
        _context(f"{' | '.join(trained)} | encoder {escape(report.scores.encoder)} | {_judge(report.scores)}"),
    ]
    # The judge's drift is a warning too, and is told once.
    if others := [warning for warning in report.warnings if not drift or drift not in warning]:
        lines = [f"• {cut(escape(warning), _WARNING)}" for warning in others[:_WARNINGS]]
        lines += [f"… and {len(others) - _WARNINGS} more"] if len(others) > _WARNINGS else []
        found.append(_section("\n".join([":warning: *Warnings*", *lines])))
    if link and len(link) <= _URL:
        button = {"type": "button", "text": {"type": "plain_text", "text": "Open the run"}, "url": link}
        found.append({"type": "actions", "elements": [button]})
    return found


def slack_table(scores: Scores) -> str:
    """Headline metrics and truthfulness only, narrow enough for a phone: a line for each comparison."""
    lines = [f"{'':<10}{'n':>5}{'base':>8}{'tuned':>8}"]
    for row in score_rows(scores):
        if row.headline or row.metric == METRIC_NAMES["truthfulness"]:
            scored, _, unscored = row.n.partition(" ")
            lines.append(f"{row.kind:<10}{scored:>5}{row.means.get('base', '-'):>8}{row.means.get('tuned', '-'):>8}")
            lines.append(f"  {row.language} {row.metric} {unscored}".rstrip())
            for against in row.against:
                n = f" n {against.n}" if against.n not in (scored, "-") else ""
                lines.append(f"  vs {against.opponent} {against.difference} p {against.p}{n}")
    return "\n".join(lines)


def escape(text: str) -> str:
    """Slack's three control characters; without this a document could mention a whole channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, the last of them an ellipsis where something was lost; no half of an `&amp;`."""
    return text if len(text) <= limit else re.sub(r"&[a-z]*$", "", text[: limit - 1]) + "…"


def _judge(scores: Scores) -> str:
    measured = any(metric.metric == "truthfulness" for group in scores.groups for metric in group.metrics)
    line = judge_line(scores) or f"judge {scores.judge}"
    return escape(line) if measured else "truthfulness not measured: no judge"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, _SECTION)}}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": cut(text, _SECTION)}]}
