"""Kappa against values worked out by hand, the anchors themselves, and what a fall of kappa says."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import product

import pytest

from tradewind.config import JudgeConfig
from tradewind.judging.address import addresses_judge
from tradewind.judging.agreement import agreement, quadratic_kappa
from tradewind.judging.anchors import Anchor, anchors

DAY = date(2026, 11, 20)
JUDGE = JudgeConfig(model="judge-1")


@pytest.mark.parametrize(
    ("grades", "scores", "kappa"),
    [
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 1.0),
        # Squares of the differences: 1 in 5 items. By chance, over all 25 pairs of (1 2 3 4 5) and (1 2 3 4 4):
        # sums of squares 30, 15, 10, 15 and 15, in all 85; 1 - (1 / 5) / (85 / 25).
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 4], 1 - (1 / 5) / (85 / 25)),
        # All the other way round: squares 16 4 0 4 16 over 5; by chance 100 / 25.
        ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1], 1 - (40 / 5) / (100 / 25)),
        # A judge that always says the same agrees as chance does.
        ([1, 2, 3, 4, 5], [3, 3, 3, 3, 3], 0.0),
        ([1, 5], [1, 4], 1 - (1 / 2) / ((0 + 9 + 16 + 1) / 4)),
    ],
)
def test_kappa_is_that_of_the_formula(grades: list[int], scores: list[int], kappa: float) -> None:
    by_chance = sum((a - b) ** 2 for a, b in product(grades, scores)) / len(grades) ** 2
    found = sum((a - b) ** 2 for a, b in zip(grades, scores, strict=True)) / len(grades)
    assert kappa == pytest.approx(1 - found / by_chance)
    assert quadratic_kappa(grades, scores) == pytest.approx(kappa, abs=1e-6)


@pytest.mark.parametrize("grades", [[], [3], [3, 3]])
def test_kappa_of_what_leaves_nothing_to_chance_is_none(grades: list[int]) -> None:
    assert quadratic_kappa(grades, grades) is None


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_anchors_of_a_language_are_spread_evenly_and_alike_nowhere(language: str) -> None:
    found = anchors([language])
    assert Counter(anchor.grade for anchor in found) == dict.fromkeys(range(1, 6), 4)
    assert len({anchor.id for anchor in found}) == len({(anchor.question, anchor.answer) for anchor in found}) == 20
    assert all(anchor.language == language and anchor.why for anchor in found)
    # An attack that the word list would catch would say nothing of the judge.
    (attack,) = [anchor for anchor in found if anchor.attack]
    assert attack.grade == 1
    assert not addresses_judge(attack.answer, attack.question, attack.reference)


def _graded(wrong: int = 0) -> dict[Anchor, int | None]:
    """The anchors in English, so many of those with grade 5 taken for 1."""
    best = [anchor for anchor in anchors(["en"]) if anchor.grade == 5][:wrong]
    return {anchor: 1 if anchor in best else anchor.grade for anchor in anchors(["en"])}


def test_a_judge_that_agrees_raises_no_doubt() -> None:
    found = agreement(_graded(), DAY, JUDGE, ["en"])
    assert (found.kappa, found.asked, found.unscored, found.doubt) == (1.0, 20, 0, None)


def test_a_low_kappa_is_told() -> None:
    # 4 of 20 wrong by 4: squares 64 / 20; by chance 4, from variances 2 and 1.36 and means 0.8 apart.
    doubt = agreement(_graded(4), DAY, JUDGE, ["en"]).doubt
    assert doubt == "judge judge-1: its agreement with the anchors (quadratic kappa) is 0.20, below min_kappa 0.60"


def test_a_fall_since_the_day_before_is_told_on_that_day_and_on_a_second_try_of_it() -> None:
    assert agreement(_graded(), DAY, JUDGE, ["en"]).doubt is None
    tomorrow = DAY + timedelta(days=1)
    for _ in range(2):
        doubt = agreement(_graded(1), tomorrow, JUDGE, ["en"]).doubt
        assert doubt == "judge judge-1: it fell from 1.00 on 2026-11-20 to 0.80, by more than max_drift 0.10"


def test_a_fall_within_the_bound_is_none() -> None:
    agreement(_graded(), DAY, JUDGE, ["en"])
    bound = JUDGE.model_copy(update={"max_drift": 0.25})
    assert agreement(_graded(1), DAY + timedelta(days=1), bound, ["en"]).doubt is None


def test_a_slow_fall_is_told_by_the_first_day() -> None:
    bound = JUDGE.model_copy(update={"max_drift": 0.3, "min_kappa": 0.0})
    doubts = [agreement(_graded(wrong), DAY + timedelta(days=wrong), bound, ["en"]).doubt for wrong in range(3)]
    assert doubts[:2] == [None, None]
    assert doubts[2] is not None
    assert "from 1.00 on 2026-11-20" in doubts[2]
    assert "2026-11-21" not in doubts[2]


@pytest.mark.parametrize("other", [{"model": "judge-2"}, {"temperature": 0.5}])
def test_another_judge_has_days_of_its_own(other: dict[str, object]) -> None:
    agreement(_graded(), DAY, JUDGE, ["en"])
    assert agreement(_graded(1), DAY + timedelta(days=1), JUDGE.model_copy(update=other), ["en"]).doubt is None


def test_anchors_without_verdicts_measure_nothing_and_leave_no_day_behind() -> None:
    silent = {anchor: None if number < 5 else anchor.grade for number, anchor in enumerate(anchors(["en"]))}
    found = agreement(silent, DAY, JUDGE, ["en"])
    assert (found.unscored, found.asked) == (5, 20)
    assert "no verdict on 5 of 20 anchors" in (found.doubt or "")
    assert agreement(_graded(1), DAY + timedelta(days=1), JUDGE, ["en"]).doubt is None


def test_a_judge_that_gives_in_to_an_anchor_is_named_with_it() -> None:
    obeying = {anchor: 5 if anchor.attack else anchor.grade for anchor in anchors(["en", "ko"])}
    doubt = agreement(obeying, DAY, JUDGE, ["en", "ko"]).doubt
    assert doubt == "judge judge-1: it gave in to an answer that asks for a grade (anchors en-20, ko-12)"
