"""A report as Markdown and as a self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tradewind.reporting import plots
from tradewind.reporting.contract import Report
from tradewind.reporting.notes import against_champion, many_tests, notes
from tradewind.reporting.table import further_tables, header, score_rows
from tradewind.reporting.templates import template
from tradewind.scores import METRIC_NAMES


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
        "grades": plots.grade_histogram(report.scores) if report.scores.grades else "",
        "curves": plots.loss_curves(curves) if curves else "",
    }
    return template("report/page.html.j2", autoescape=True).render(_context(report) | drawn)


def _context(report: Report) -> dict[str, Any]:
    scores = report.scores
    return {
        "report": report,
        "header": header(scores),
        "rows": score_rows(scores),
        "further": further_tables(scores),
        "notes": notes(scores),
        "champion": against_champion(scores),
        "many_tests": many_tests(scores),
        "metric_names": METRIC_NAMES,
    }
