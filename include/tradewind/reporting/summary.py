"""`report/summary.json`: a report's headline figures alone, so that a page reads a thousand runs at once."""

from __future__ import annotations

from typing import Literal

from tradewind.kinds import Kind
from tradewind.reporting.contract import Report
from tradewind.results import Contract
from tradewind.scores import GroupScore, Verdict

SUMMARY = "summary.json"


class GroupSummary(Contract):
    """The headline metric of one kind of held-out question in one language."""

    kind: Kind
    language: str
    metric: str
    n: int
    base: float | None
    tuned: float | None
    champion: float | None
    floor: float | None
    """Of the tuned model."""
    difference: float | None
    """Tuned minus base; None where there is no interval."""
    low: float | None
    high: float | None

    @classmethod
    def of(cls, group: GroupScore) -> GroupSummary:
        """The group's headline metric."""
        score = group.metric(group.headline)
        found = score.tuned_minus_base
        return cls(
            kind=group.kind,
            language=group.language,
            metric=group.headline,
            n=score.scored,
            base=_rounded(score.mean.get("base")),
            tuned=_rounded(score.mean.get("tuned")),
            champion=_rounded(score.mean.get("champion")),
            floor=_rounded(score.floor.get("tuned")),
            difference=_rounded(found.difference if found else None),
            low=_rounded(found.low if found else None),
            high=_rounded(found.high if found else None),
        )


class Summary(Contract):
    """`summary.json`."""

    schema_version: Literal[1] = 1
    run: str
    recipe: str
    model: str
    seed: int
    finished_at: str
    verdict: Verdict
    verdict_reason: str
    groups: tuple[GroupSummary, ...]
    """In the report's order."""

    @classmethod
    def of(cls, report: Report) -> Summary:
        """What of the report stands in it."""
        return cls(
            run=report.run,
            recipe=report.recipe,
            model=report.model,
            seed=report.seed,
            finished_at=report.finished_at,
            verdict=report.scores.verdict,
            verdict_reason=report.scores.verdict_reason,
            groups=tuple(map(GroupSummary.of, report.scores.groups)),
        )


def _rounded(score: float | None) -> float | None:
    """As scores are kept of single answers; a page with a thousand runs is a third smaller for it."""
    return None if score is None else round(score, 6)
