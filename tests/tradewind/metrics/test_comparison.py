"""Two models on the same questions, and p values of many comparisons."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.metrics.bootstrap import Draws
from tradewind.metrics.comparison import compare, holm

DRAWS = Draws(2000, 0.95, 3)
RECORDS = [f"r{number // 2}" for number in range(40)]


def test_wins_ties_and_losses_are_counted_by_item() -> None:
    first = np.full(40, 0.5)
    second = first + np.array([0.1] * 20 + [0.0] * 12 + [1e-12] * 3 + [-0.2] * 5)
    found = compare(first, second, RECORDS, DRAWS)
    assert found is not None
    assert (found.wins, found.ties, found.losses, found.n) == (20, 15, 5, 40)
    assert found.difference == pytest.approx((20 * 0.1 - 5 * 0.2) / 40)


@pytest.mark.parametrize("seed", range(5))
def test_models_that_change_places_change_signs_and_nothing_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.beta(2, 3, 40).round(6), rng.beta(3, 2, 40).round(6)
    one, other = compare(first, second, RECORDS, DRAWS), compare(second, first, RECORDS, DRAWS)
    assert one is not None
    assert other is not None
    assert (one.difference, one.low, one.high, one.p) == (-other.difference, -other.high, -other.low, other.p)
    assert (one.wins, one.ties, one.losses) == (other.losses, other.ties, other.wins)


def test_the_same_answers_differ_by_nothing() -> None:
    scores = np.random.default_rng(0).beta(2, 3, 40)
    found = compare(scores, scores.copy(), RECORDS, DRAWS)
    assert found is not None
    assert (found.difference, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)
    assert (found.wins, found.ties, found.losses) == (0, 40, 0)


def test_items_about_one_record_are_not_compared() -> None:
    assert compare(np.zeros(5), np.ones(5), ["a"] * 5, DRAWS) is None


def test_holm_multiplies_the_smallest_by_all_and_never_falls() -> None:
    # The example of R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm").
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
