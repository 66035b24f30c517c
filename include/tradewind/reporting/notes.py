"""The sentences that stand below the score table, for all forms of the report."""

from __future__ import annotations

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


def many_tests(scores: Scores) -> str:
    """How the p values are to be read, given how many there are."""
    made = " and ".join(f"{count} comparisons with {opponent}" for opponent, count in scores.comparisons_made.items())
    if not made:
        return "Nothing was compared, so there are no intervals."
    return (
        f"This table makes {made}. Intervals and p are of each alone, so about one in twenty misses by chance; p Holm "
        "is corrected for that, and the verdict reads one comparison only, the headline metric of the first kind."
    )
