"""A run came to its scores: the verdict first, then the table; the rest stands in the thread."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tradewind.reporting.contract import Report
from tradewind.reporting.table import ScoreRow, score_rows
from tradewind.scores import METRIC_NAMES, Scores
from tradewind_airflow.notifications.about import About
from tradewind_airflow.notifications.links import action_link, run_link, run_name
from tradewind_airflow.notifications.message import (
    Message,
    Table,
    bullets,
    buttons,
    context,
    cut,
    header,
    message,
    said,
    section,
)
from tradewind_airflow.notifications.outcome import Outcome, duration

MARKS = {"better": ":white_check_mark:", "worse": ":x:", "no difference shown": ":heavy_minus_sign:"}
_REASONS, _REASON = 5, 300
_ROWS = 30  # more make no message; the report has all


@dataclass(frozen=True)
class Approval:
    """A question that waits for somebody."""

    version: str
    reasons: tuple[str, ...]
    """Why the gate would promote it."""
    task_id: str
    timeout: timedelta | None
    """After which silence is a no."""


def result(
    report: Report, about: About, outcome: Outcome, *, promotion: str | None = None, approval: Approval | None = None
) -> Message:
    """The verdict, what became of the model, and the scores.

    Args:
        promotion: what became of the model, such as "v2 is champion (before: v1)".
    """
    scores = report.scores
    waits = f", {approval.version} waits for approval" if approval else ""
    title = f"{report.recipe}: {scores.verdict}{waits}"
    drift, warned = drift_of(scores), len(warnings_of(report))
    return message(
        f"{title}{'' if approval or not promotion else f', {promotion}'}",
        header(f"{MARKS[scores.verdict]} {title}"),
        section(said(scores.verdict_reason)),
        section(f"*{said(promotion)}*") if promotion and not approval else None,
        section(_asked(approval)) if approval else None,
        section(f":warning: *The judge*\n{said(drift)}") if drift else None,
        context(*(said(line) for line in outcome.others())),
        context(
            said(f"run {run_name(about.run_id)}"),
            said(f"seed {about.seed}"),
            said(f"{duration(outcome.seconds())} of work"),
            f"{warned} warning{'s' if warned > 1 else ''} in the thread" if warned else None,
        ),
        buttons(
            ("Approve or reject", action_link(about.dag_id, about.run_id, approval.task_id) if approval else None),
            ("Open the run", run_link(about.dag_id, about.run_id)),
        ),
        table=table(scores),
    )


def drift_of(scores: Scores) -> str | None:
    """What is told of the judge with the verdict itself."""
    return scores.judge_record.drift if scores.judge_record else None


def warnings_of(report: Report) -> list[str]:
    """The others: the judge's drift is a warning, too."""
    drift = drift_of(report.scores)
    return [warning for warning in report.warnings if not drift or drift not in warning]


def table(scores: Scores) -> Table:
    """The headline metric of each group and truthfulness: a row for each comparison."""
    rows = [row for row in score_rows(scores) if row.headline or row.metric == METRIC_NAMES["truthfulness"]]
    cells = [line for row in rows for line in _cells(row)][:_ROWS]
    return Table((("held-out questions", "before → tuned", "difference"), *cells), slack_table(rows))


def _cells(row: ScoreRow) -> list[tuple[str, ...]]:
    scored, _, unscored = row.n.partition(" ")
    name = f"{row.kind} ({row.language}) {row.metric}"
    if not row.against:
        return [(f"{name}, n {scored}", row.means.get("tuned", "-"), "-")]
    found: list[tuple[str, ...]] = []
    for against in row.against:
        n = scored if against.n == "-" else against.n
        other = "" if against.opponent == "base" else f" vs {against.opponent}"
        before, after = (against.means.get(model) or row.means.get(model, "-") for model in (against.opponent, "tuned"))
        found.append((f"{name}{other}, n {n} {unscored}".rstrip(), f"{before} → {after}", against.difference))
    return found


def slack_table(rows: list[ScoreRow]) -> str:
    """The same, narrow enough for a phone."""
    lines = [f"{'':<10}{'n':>5}{'base':>8}{'tuned':>8}"]
    for row in rows:
        scored, _, unscored = row.n.partition(" ")
        lines.append(f"{row.kind:<10}{scored:>5}{row.means.get('base', '-'):>8}{row.means.get('tuned', '-'):>8}")
        lines.append(f"  {row.language} {row.metric} {unscored}".rstrip())
        for against in row.against:
            n = f" n {against.n}" if against.n not in (scored, "-") else ""
            lines.append(f"  vs {against.opponent} {against.difference} p {against.p}{n}")
    return "\n".join(lines)


def _asked(approval: Approval) -> str:
    silence = f" within {_hours(approval.timeout)}" if approval.timeout else ""
    return "\n".join(
        [
            f":raised_hand: *May {said(approval.version)} become champion?*",
            bullets(approval.reasons, _REASONS, _REASON),
            f"Unanswered{silence}, the champion stays.",
        ]
    )


def _hours(timeout: timedelta) -> str:
    return cut(duration(timeout.total_seconds()), 20)


def approval_of(registered: dict[str, Any], task_id: str, timeout: timedelta | None) -> Approval | None:
    """The question that RegisterModelOperator's result leaves open."""
    if not registered.get("asks"):
        return None
    return Approval(str(registered["version"]), tuple(map(str, registered.get("reasons", ()))), task_id, timeout)
