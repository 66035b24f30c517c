"""Whether a new model may take the champion's place: a pure function of its scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tradewind.config import GateConfig, GateRule
from tradewind.kinds import KINDS
from tradewind.results import Contract
from tradewind.scores import METRIC_NAMES, Comparison, GroupScore, MetricScore, Scores


class Difference(Contract):
    """How far the merged model is from the base: what training and evaluation counted."""

    tensors: int
    changed_tensors: int
    answers: int
    changed_answers: int


class Decision(Contract):
    """The gate's word; the reasons are what speaks against promoting, or, with nothing against it, all for it."""

    promote: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Finding:
    holds: bool
    text: str


def decide(scores: Scores, *, champion: str | None, difference: Difference, config: GateConfig) -> Decision:
    """Hold the scores against the recipe's rule.

    What the rule names must have been measured: a missing interval never promotes. Two exceptions, which the
    reasons name: truthfulness without a judge, and a kind's smaller languages, which may be too few to measure.

    Args:
        champion: the present champion's name, which the scores must compare with; None: the base is compared with.
    """
    findings = [*_differs(difference)]
    for rules, gain in ((config.require, True), (config.no_loss, False)):
        for rule in rules:
            findings += _findings(scores, rule, champion, gain=gain)
    against = tuple(finding.text for finding in findings if not finding.holds)
    return Decision(promote=not against, reasons=against or tuple(finding.text for finding in findings))


def _differs(difference: Difference) -> Iterator[_Finding]:
    changed, tensors = difference.changed_tensors, difference.tensors
    yield _Finding(changed > 0, f"{changed} of {tensors} weight tensors differ from those before the training")
    answered, answers = difference.changed_answers, difference.answers
    yield _Finding(answered > 0, f"{answered} of {answers} answers differ from the base's")


def _findings(scores: Scores, rule: GateRule, champion: str | None, *, gain: bool) -> Iterator[_Finding]:
    name = METRIC_NAMES.get(rule.metric, rule.metric)
    if not any(_measured(group, rule.metric) for group in scores.groups):
        judged = not gain and rule.metric == "truthfulness"
        yield _Finding(judged, f"{name} was not measured" + (": no judge is configured" if judged else ""))
        return
    for kind in [rule.kind] if rule.kind else [kind for kind in KINDS if any(kind == g.kind for g in scores.groups)]:
        groups = sorted((group for group in scores.groups if group.kind == kind), key=lambda group: -group.n)
        if not groups:
            yield _Finding(False, f"{name}: no {kind} question was held out; see split.{kind}, or change the gate")
        for place, group in enumerate(groups):
            yield _of_group(group, rule.metric, champion, gain=gain and place == 0, largest=place == 0)


def _of_group(group: GroupScore, metric: str, champion: str | None, *, gain: bool, largest: bool) -> _Finding:
    found = _measured(group, metric)
    name = METRIC_NAMES.get(found.metric if found else metric, metric)
    where = f"{name} on {group.kind} questions ({group.language}, n={group.n})"
    other = f"champion {champion}" if champion else "base"
    comparison = found.comparisons.get("champion" if champion else "base") if found else None
    if found is None or comparison is None:
        return _Finding(not largest, f"{where}: no interval of tuned minus {other}, so nothing is known of it")
    span = _span(comparison)
    if not gain:
        lost = not comparison.high >= 0  # so that NaN is a loss
        said = "tuned is below" if lost else "no significant loss of tuned against"
        return _Finding(not lost, f"{where}: {said} {other}, {span}")
    if not comparison.low > 0:
        said = "tuned is below" if comparison.high < 0 else "the interval holds 0 for tuned minus"
        return _Finding(False, f"{where}: {said} {other}, {span}")
    floor = found.tuned_minus_floor
    if floor is None and "tuned" in found.floor:
        return _Finding(
            False, f"{where}: tuned is above {other}, {span}, but its difference from its floor has no interval"
        )
    if floor is not None and not floor.low > 0:
        return _Finding(
            False,
            f"{where}: tuned is above {other}, {span}, but not above its floor ({floor.difference:+.3f}, "
            f"{floor.low:+.3f} to {floor.high:+.3f}): the answers fit any question as well",
        )
    return _Finding(True, f"{where}: tuned is above {other}, {span}")


def _measured(group: GroupScore, metric: str) -> MetricScore | None:
    """The metric's scores, or the headline's where it cannot judge the group; None where it was not computed."""
    found = next((score for score in group.metrics if score.metric == metric), None)
    return found if found is None or found.usable else group.metric(group.headline)


def _span(comparison: Comparison) -> str:
    return (
        f"{comparison.difference:+.3f} ({comparison.confidence_level:.0%} interval "
        f"{comparison.low:+.3f} to {comparison.high:+.3f})"
    )
