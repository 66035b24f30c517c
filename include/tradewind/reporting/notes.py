"""The sentences that stand below the score table, for all forms of the report."""

from __future__ import annotations

from collections.abc import Mapping

from tradewind.reporting.table import against
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
    compared = [(group, metric) for group in scores.groups for metric in group.metrics]
    found += [
        f"{group.kind} ({group.language}), {METRIC_NAMES[metric.metric]}, {opponent}: {why}"
        for group, metric in compared
        for opponent, why in metric.no_comparison.items()
        if why != metric.no_interval
    ]
    if any(found.n < metric.scored for _, metric in compared for found in metric.comparisons.values()):
        found.append("Means and grades of the champion leave out the questions that it has learnt.")
    return found


def against_champion(scores: Scores) -> str | None:
    """How tuned stands to the model in use, by the headline metric of each kind; None where there is no champion."""
    found = []
    for group in scores.groups:
        metric = group.metric(group.headline)
        comparison = metric.comparisons.get("champion")
        if comparison is not None:
            row = against("champion", comparison)
            found.append(
                f"{row.difference} by {METRIC_NAMES[group.headline]} on {group.kind} ({group.language}, "
                f"n={comparison.n}, p {row.p}, {row.outcomes} won/tied/lost)"
            )
        elif why := metric.no_comparison.get("champion"):
            said = why.removeprefix("no interval: ")
            found.append(f"no interval by {METRIC_NAMES[group.headline]} on {group.kind} ({group.language}): {said}")
    return f"Tuned minus champion: {'; '.join(found)}" if found else None


def judge_line(scores: Scores) -> str | None:
    """Who judged and how reliably, in one line; None where nobody did."""
    record = scores.judge_record
    if record is None:
        return None
    kappa = "" if record.anchors_kappa is None else f", kappa {record.anchors_kappa:.2f} on {record.anchors_n} examples"
    unscored = ", ".join(f"{model} {count}" for model, count in record.unscored.items() if count)
    return f"judge {record.model}{kappa}, {f'unscored: {unscored}' if unscored else 'none unscored'}"


def many_tests(scores: Scores, named: Mapping[str, str] | None = None) -> str:
    """How the p values are to be read, given how many there are; `named` is what models are called otherwise."""
    made = " and ".join(
        f"{count} comparison{'s' if count > 1 else ''} with {(named or {}).get(opponent, opponent)}"
        for opponent, count in scores.comparisons_made.items()
    )
    if not made:
        return "Nothing was compared, so there are no intervals."
    return (
        f"The scores above make {made}. Intervals and p are of each alone, so about one in twenty misses by chance; "
        "p Holm is corrected for all with one opponent. What was to be shown is the first row: it was chosen "
        "beforehand and needs no correction."
    )
