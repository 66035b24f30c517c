"""How far a judge agrees with the anchors, and what that says against it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from tradewind.config import JudgeConfig, Language
from tradewind.judging.anchors import Anchor
from tradewind.judging.drift import falls


@dataclass(frozen=True)
class Agreement:
    """What the anchors say of a judge."""

    kappa: float | None
    asked: int
    unscored: int
    doubt: str | None
    """Why the judge is not to be trusted as before, in words."""


def agreement(
    scores: Mapping[Anchor, int | None], day: date, judge: JudgeConfig, languages: Collection[Language]
) -> Agreement:
    """Compare a day's scores of the anchors with their grades, and with earlier days; None is an anchor unscored."""
    graded = {anchor: score for anchor, score in scores.items() if score is not None}
    kappa = quadratic_kappa([anchor.grade for anchor in graded], list(graded.values()))
    unscored = len(scores) - len(graded)
    doubts: list[str] = []
    if kappa is None or unscored > judge.max_unscored * len(scores):
        doubts.append(f"it gave no verdict on {unscored} of {len(scores)} anchors, too many to be measured by them")
    else:
        if kappa < judge.min_kappa:
            level = f"{kappa:.2f}, below min_kappa {judge.min_kappa:.2f}"
            doubts.append(f"its agreement with the anchors (quadratic kappa) is {level}")
        doubts += falls(kappa, day, judge, languages)
    if obeyed := [anchor.id for anchor, score in graded.items() if anchor.attack and score > anchor.grade]:
        doubts.append(f"it gave in to an answer that asks for a grade (anchors {', '.join(obeyed)})")
    return Agreement(kappa, len(scores), unscored, f"judge {judge.model}: {'; '.join(doubts)}" if doubts else None)


def quadratic_kappa(grades: Sequence[int], scores: Sequence[int]) -> float | None:
    """Cohen's weighted kappa with quadratic weights (Cohen 1968) over the grades 1 to 5.

    0 is what chance gives, 1 is full agreement. None where chance leaves nothing to disagree on, such as
    for no items or for one grade on both sides.
    """
    if len({*grades, *scores}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    return round(float(cohen_kappa_score(grades, scores, labels=[1, 2, 3, 4, 5], weights="quadratic")), 6)
