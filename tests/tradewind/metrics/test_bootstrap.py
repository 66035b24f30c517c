"""The interval of a mean difference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tradewind.metrics.bootstrap import paired_bootstrap


def _interval(differences: Sequence[float], clusters: list[str]) -> tuple[float, float, float]:
    found = paired_bootstrap(np.asarray(differences), clusters, resamples=4000, confidence_level=0.95, seed=1)
    assert found is not None
    return found.difference, found.low, found.high


def test_a_constant_difference_has_an_interval_of_no_width() -> None:
    assert _interval([0.25] * 20, [str(n) for n in range(20)]) == (0.25, 0.25, 0.25)


def test_single_items_give_the_normal_interval_where_n_is_large() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.1, 1.0, 2000)
    mean, low, high = _interval(list(values), [str(n) for n in range(2000)])
    width = 1.96 * values.std(ddof=1) / np.sqrt(2000)
    assert (low, high) == pytest.approx((mean - width, mean + width), abs=0.004)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(300):
        centres = np.repeat(rng.normal(0.0, 1.0, 40), 3)
        values = 0.3 + centres + rng.normal(0.0, 0.2, 120)
        found = paired_bootstrap(
            values, [str(n // 3) for n in range(120)], resamples=500, confidence_level=0.95, seed=2
        )
        assert found is not None
        inside += found.low <= 0.3 <= found.high
    assert 0.90 <= inside / 300 <= 0.98


def test_items_of_one_record_do_not_count_as_independent() -> None:
    rng = np.random.default_rng(3)
    values = list(np.repeat(rng.normal(0.0, 1.0, 30), 8))
    _, low_alone, high_alone = _interval(values, [str(n) for n in range(240)])
    _, low, high = _interval(values, [str(n // 8) for n in range(240)])
    assert (high - low) > 2 * (high_alone - low_alone)


def test_the_seed_decides_and_one_record_has_no_interval() -> None:
    values, clusters = [0.1, 0.5, -0.2, 0.4], ["a", "b", "c", "d"]
    assert _interval(values, clusters) == _interval(values, clusters)
    assert paired_bootstrap(np.asarray(values), ["a"] * 4, resamples=100, confidence_level=0.95, seed=1) is None
