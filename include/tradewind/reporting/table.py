"""The score table: one row for each kind of held-out question and language, the same wherever it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tradewind.scores import METRIC_NAMES, OPPONENTS, Comparison, GroupScore, MetricScore, Scores


@dataclass(frozen=True)
class Against:
    """Tuned minus another model, as text; an absent value is a dash."""

    opponent: str
    n: str
    means: dict[str, str]
    """Of both models over these questions."""
    difference: str
    """With its interval."""
    p: str
    p_holm: str
    outcomes: str
    """Wins, ties, losses."""

    def cells(self) -> tuple[str, ...]:
        """The columns in the order of `_compared`."""
        return (self.difference, self.p, self.p_holm, self.outcomes)


@dataclass(frozen=True)
class ScoreRow:
    """A row as text; an absent value is a dash."""

    kind: str
    language: str
    metric: str
    n: str
    means: dict[str, str]
    """By model, over all questions that count for it."""
    columns: tuple[str, ...]
    """The models whose means stand in this row: all but those that have a table of their own."""
    against: tuple[Against, ...]
    floor: str
    headline: bool
    """Whether this is the metric to read first."""

    def cells(self) -> tuple[str, ...]:
        """The columns in the order of `header`: of several comparisons the first."""
        compared = self.against[0].cells() if self.against else ()
        means = [self.means[name] for name in self.columns]
        return (f"{self.kind} ({self.language})", self.metric, self.n, *means, self.floor, *compared)


def header(scores: Scores, named: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The names of the columns; the interval's says its level.

    Args:
        named: what models are called other than by their names.
    """
    called = dict(named or {})
    models = (called.get(name, name) for name in _columns(scores))
    compared = [_compared(scores, name, called) for name in _opponents(scores)[:1]]
    return ("held-out questions", "metric", "n", *models, "floor", *(name for names in compared for name in names))


def further_tables(scores: Scores) -> list[list[tuple[str, ...]]]:
    """For each opponent after the first a table, its first row the names of the columns."""
    tables = []
    for at, opponent in enumerate(_opponents(scores)[1:], 1):
        names = ("held-out questions", "metric", "n", opponent, "tuned", *_compared(scores, opponent, {}))
        rows = [
            (*row.cells()[:2], found.n, *(found.means.get(name, "-") for name in (opponent, "tuned")), *found.cells())
            for row in score_rows(scores)
            for found in [row.against[at]]
        ]
        tables.append([names, *rows])
    return tables


def _compared(scores: Scores, opponent: str, called: Mapping[str, str]) -> tuple[str, ...]:
    found = [
        comparison for group in scores.groups for metric in group.metrics for comparison in metric.comparisons.values()
    ]
    level = f" [{found[0].confidence_level:.0%}]".replace("%", " %") if found else ""
    difference = f"{called.get('tuned', 'tuned')} - {called.get(opponent, opponent)}{level}"
    return difference, "p", "p Holm", "won/tied/lost"


def score_rows(scores: Scores) -> list[ScoreRow]:
    """The headline metric of each group first, then its other metrics."""
    rows = []
    for group in scores.groups:
        ordered = sorted(group.metrics, key=lambda metric: metric.metric != group.headline)
        rows += [_row(group, metric, scores) for metric in ordered]
    return rows


def _opponents(scores: Scores) -> list[str]:
    return [name for name in OPPONENTS if name in scores.models and "tuned" in scores.models]


def _columns(scores: Scores) -> tuple[str, ...]:
    return tuple(name for name in scores.models if name not in _opponents(scores)[1:])


def _row(group: GroupScore, metric: MetricScore, scores: Scores) -> ScoreRow:
    unscored = f" ({metric.unscored} unscored)" if metric.unscored else ""
    return ScoreRow(
        kind=group.kind,
        language=group.language,
        metric=METRIC_NAMES[metric.metric] + ("" if metric.usable else " (blind)"),
        n=f"{metric.scored}{unscored}",
        means={name: f"{metric.mean[name]:.3f}" if name in metric.mean else "-" for name in scores.models},
        columns=_columns(scores),
        against=tuple(against(name, metric.comparisons.get(name)) for name in _opponents(scores)),
        floor=f"{metric.floor['tuned']:.3f}" if "tuned" in metric.floor else "-",
        headline=metric.metric == group.headline,
    )


def against(opponent: str, found: Comparison | None) -> Against:
    """A comparison as text."""
    if found is None:
        return Against(opponent, "-", {}, "-", "-", "-", "-")
    return Against(
        opponent,
        str(found.n),
        {name: f"{mean:.3f}" for name, mean in found.means.items()},
        f"{found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}]",
        p_text(found.p),
        p_text(found.p_holm) if found.p_holm is not None else "-",
        f"{found.wins}/{found.ties}/{found.losses}",
    )


def p_text(p: float) -> str:
    """Three digits, as journals print it."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def text_table(scores: Scores, named: Mapping[str, str] | None = None) -> str:
    """The tables for a terminal or a log: columns lined up, no colours; `named` as for `header`."""
    first = [header(scores, named)] + [row.cells() for row in score_rows(scores)]
    return "\n\n".join(_lined_up(rows) for rows in [first, *further_tables(scores)])


def _lined_up(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
