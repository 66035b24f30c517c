"""The sentences that stand below the score table, for all forms of the report."""

from __future__ import annotations

from collections.abc import Mapping

from tradewind.scores import METRIC_NAMES, Scores


def notes(scores: Scores) -> list[str]:
    """What a reader must know of single rows: metrics that cannot judge, rows without an interval."""
    found = [f"{group.kind}: {metric.note}" for group in scores.groups for metric in group.metrics if metric.note]
    found += [
        f"{group.kind} ({group.language}), {METRIC_NAMES[metric.metric]}: {metric.no_interval}"
        for group in scores.groups
        for metric in group.metrics
        if metric.no_interval
    ]
    return found


def many_tests(scores: Scores, named: Mapping[str, str] | None = None) -> str:
    """How the p values are to be read, given how many there are; `named` is what models are called otherwise."""
    made = " and ".join(
        f"{count} comparison{'s' if count > 1 else ''} with {(named or {}).get(opponent, opponent)}"
        for opponent, count in scores.comparisons_made.items()
    )
    if not made:
        return "Nothing was compared, so there are no intervals."
    return (
        f"This table makes {made}. Intervals and p are of each alone, so about one in twenty misses by chance; p Holm "
        "is corrected for all of them. What was to be shown is the first row: it was chosen beforehand and needs no "
        "correction."
    )
