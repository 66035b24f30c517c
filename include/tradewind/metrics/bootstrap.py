"""The interval and the p value of a mean difference between two models that answered the same questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tradewind.config import RunConfig
from tradewind.scores import Interval

Array = npt.NDArray[np.float64]
_NO_SPREAD = 1e-9  # of a score: differences that vary less than this do not vary


@dataclass(frozen=True)
class Draws:
    """How the bootstrap draws."""

    resamples: int
    confidence_level: float
    seed: int

    @classmethod
    def of(cls, config: RunConfig) -> Draws:
        """As the recipe says, under the run's seed."""
        return cls(config.evaluate.bootstrap_resamples, config.evaluate.confidence_level, config.seed)


def paired_bootstrap(differences: Array, clusters: Sequence[str], draws: Draws) -> tuple[Interval, float] | None:
    """The symmetric studentised bootstrap of the mean of `differences`: its interval, and a two-sided p.

    Whole clusters are drawn, not single items: several questions about one source record are not independent, and
    drawing them one by one would make the interval too narrow. With clusters of unequal size the mean is a ratio,
    whose standard error is that of its linearisation. Each draw gives t* = (mean* - mean) / error*. The interval is
    mean -+ q error, where q is the quantile of |t*|, and p = (1 + #{|t*| >= |mean / error|}) / (1 + resamples), so
    that p falls below 1 - level exactly where the interval leaves 0 out, and is never 0.

    Paired: Koehn, "Statistical Significance Tests for Machine Translation Evaluation", EMNLP 2004. Studentised,
    p and clusters: Davison and Hinkley, "Bootstrap Methods and their Application" (1997), sections 5.2, 4.4 and 3.8.
    Symmetric: Hall, "On Symmetric Bootstrap Confidence Intervals", JRSS B 50 (1988). |t*| does not change when the
    models change places, so the interval is then exactly the negative one.

    Of 2000 sets with known means each (`cd tests && python -m known_differences`) the 95 % interval covers 94.0 to
    96.1 % with 8 records, 94.4 to 95.8 % with 15 to 60, and 93.5 to 97.5 % with 4, by the shape of the differences; the
    percentile interval, which is more usual, covers 86 to 90 % with 8 and 92 to 93 % with 30. What few records do not
    show no bootstrap knows: where one answer in fourteen differs, it covers 80 % with 8 records and 94 % with 30.

    Where more than 1 - level of the draws have no spread at all (2 or 3 records, or scores that differ on few of
    many), t* has no such quantile, and Student's t with one degree of freedom fewer than clusters takes its place.
    Where no cluster differs from another, the interval has no width, and p is that of changing signs, 2 / 2^clusters:
    where that is above 1 - level, the clusters are too few to say anything.

    Args:
        differences: shape (items,).
        clusters: each item's source record.

    Returns:
        None where there are fewer than two clusters, or too few which all differ alike, and not by 0.
    """
    sums, counts = _by_cluster(differences, clusters)
    size = len(sums)
    if size < 2:
        return None
    mean = math.fsum(differences) / len(differences)
    error = float(_error(sums - mean * counts, counts.sum()))
    if error < _NO_SPREAD:
        low = high = mean
        p = 1.0 if abs(mean) < _NO_SPREAD else max(2.0 ** (1 - size), 1 / (1 + draws.resamples))
        if 1 - draws.confidence_level < p < 1:
            return None
    else:
        drawn = _drawn(sums, counts, mean, error, draws)
        reach, p = _reach(drawn, mean / error, size, draws.confidence_level)
        low, high = mean - reach * error, mean + reach * error
    return Interval(difference=mean, low=low, high=high, confidence_level=draws.confidence_level), p


def _by_cluster(differences: Array, clusters: Sequence[str]) -> tuple[Array, Array]:
    """Sum and size of each cluster, in the order of the clusters' names; no sum depends on the order of items."""
    names, members = np.unique(np.asarray(clusters), return_inverse=True)
    order = np.argsort(members, kind="stable")
    parts = np.split(differences[order], np.cumsum(np.bincount(members))[:-1]) if len(names) else []
    return np.array([math.fsum(part) for part in parts]), np.array([float(len(part)) for part in parts])


def _drawn(sums: Array, counts: Array, mean: float, error: float, draws: Draws) -> Array:
    """|t*| of each draw, in ascending order; infinite where the draw has no spread."""
    size = len(sums)
    rng = np.random.default_rng(draws.seed)
    found = np.empty(draws.resamples)
    block = max(1, 2_000_000 // size)  # draws at a time, to bound memory
    for start in range(0, draws.resamples, block):
        chosen = rng.integers(size, size=(min(block, draws.resamples - start), size))
        part, weight = sums[chosen], counts[chosen]
        total = weight.sum(axis=1)
        means = part.sum(axis=1) / total
        errors = _error(part - means[:, None] * weight, total)
        flat = errors < 1e-6 * error
        away = np.abs(means - mean) / np.where(flat, 1.0, errors)
        found[start : start + len(chosen)] = np.where(flat, np.inf, away)
    return np.sort(found)


def _error(residuals: Array, total: Array | np.float64) -> Array:
    """The standard error of a ratio of sums over clusters (Cochran, "Sampling Techniques", 1977, chapter 6)."""
    size = residuals.shape[-1]
    return np.asarray(np.sqrt(size / (size - 1) * (residuals**2).sum(axis=-1)) / total)


def _reach(drawn: Array, t: float, size: int, confidence_level: float) -> tuple[float, float]:
    """How many standard errors the interval reaches to each side, and the p of `t`."""
    resamples = len(drawn)
    place = math.ceil(confidence_level * (resamples + 1) - 1e-9) - 1
    if place < resamples and math.isfinite(drawn[place]):
        beyond = resamples - int(np.searchsorted(drawn, abs(t), side="left"))
        return float(drawn[place]), (1 + beyond) / (1 + resamples)
    from scipy.stats import t as student

    p = max(2 * float(student.sf(abs(t), size - 1)), 1 / (1 + resamples))
    return float(student.ppf((1 + confidence_level) / 2, size - 1)), p
