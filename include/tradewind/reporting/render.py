"""A report as Markdown and as a self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tradewind.reporting import plots
from tradewind.reporting.contract import Report
from tradewind.reporting.table import header, score_rows
from tradewind.reporting.templates import template


def markdown(report: Report) -> str:
    """The report as Markdown."""
    return template("report.md.j2", autoescape=False).render(_context(report))


def html(
    report: Report, predictions: Sequence[Mapping[str, Any]], curves: Mapping[str, Sequence[Mapping[str, Any]]]
) -> str:
    """The report as one HTML file that needs no other; every text of a model or document is escaped."""
    drawn = {
        "bars": plots.score_bars(report.scores),
        "spread": plots.distributions(report.scores, predictions),
        "curves": plots.loss_curves(curves) if curves else "",
    }
    return template("report.html.j2", autoescape=True).render(_context(report) | drawn)


def _context(report: Report) -> dict[str, Any]:
    notes = [
        f"{group.kind}: {metric.note}" for group in report.scores.groups for metric in group.metrics if metric.note
    ]
    return {"report": report, "header": header(report.scores), "rows": score_rows(report.scores), "notes": notes}
