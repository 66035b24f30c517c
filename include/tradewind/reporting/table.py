"""The score table: one row for each kind of held-out question and language, the same wherever it is shown."""

from __future__ import annotations

from dataclasses import dataclass

from tradewind.scores import METRIC_NAMES, GroupScore, MetricScore, Scores


@dataclass(frozen=True)
class ScoreRow:
    """A row as text; an absent value is a dash."""

    kind: str
    language: str
    metric: str
    n: str
    base: str
    adapted: str
    tuned: str
    difference: str
    """Tuned minus base with its interval."""
    floor: str
    headline: bool
    """Whether this is the metric to read first."""

    def cells(self) -> tuple[str, ...]:
        """The columns in the order of `header`."""
        return (
            f"{self.kind} ({self.language})", self.metric, self.n, self.base, self.adapted, self.tuned,
            self.difference, self.floor,
        )  # fmt: skip


def header(scores: Scores) -> tuple[str, ...]:
    """The names of the columns; the interval's says its level."""
    intervals = [metric.tuned_minus_base for group in scores.groups for metric in group.metrics]
    level = next((f" [{interval.confidence_level:.0%}]" for interval in intervals if interval), "").replace("%", " %")
    return ("held-out questions", "metric", "n", "base", "adapted", "tuned", f"tuned - base{level}", "floor")


def score_rows(scores: Scores) -> list[ScoreRow]:
    """The headline metric of each group first, then its other metrics."""
    rows = []
    for group in scores.groups:
        ordered = sorted(group.metrics, key=lambda metric: metric.metric != group.headline)
        rows += [_row(group, metric) for metric in ordered]
    return rows


def _row(group: GroupScore, metric: MetricScore) -> ScoreRow:
    def mean(model: str) -> str:
        return f"{metric.mean[model]:.3f}" if model in metric.mean else "-"

    interval = metric.tuned_minus_base
    difference = f"{interval.difference:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]" if interval else "-"
    unscored = f" ({metric.unscored} unscored)" if metric.unscored else ""
    return ScoreRow(
        kind=group.kind,
        language=group.language,
        metric=METRIC_NAMES[metric.metric] + ("" if metric.usable else " (blind)"),
        n=f"{metric.scored}{unscored}",
        base=mean("base"),
        adapted=mean("adapted"),
        tuned=mean("tuned"),
        difference=difference,
        floor=f"{metric.floor['tuned']:.3f}" if "tuned" in metric.floor else "-",
        headline=metric.metric == group.headline,
    )


def text_table(scores: Scores) -> str:
    """The table for a terminal or a log: columns lined up, no colours."""
    rows = [header(scores)] + [row.cells() for row in score_rows(scores)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
