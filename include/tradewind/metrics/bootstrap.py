"""The interval of a mean difference between two models that answered the same questions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tradewind.scores import Interval


def paired_bootstrap(
    differences: npt.NDArray[np.float64],
    clusters: Sequence[str],
    *,
    resamples: int,
    confidence_level: float,
    seed: int,
) -> Interval | None:
    """Percentile interval of the mean of `differences` (tuned minus base, one for each item).

    Whole clusters are drawn, not single items: several questions about one source record are not
    independent, and drawing them one by one would make the interval too narrow. Paired bootstrap:
    Koehn, "Statistical Significance Tests for Machine Translation Evaluation", EMNLP 2004, section 4;
    clusters: Davison and Hinkley, "Bootstrap Methods and their Application" (1997), section 3.8.

    Args:
        differences: shape (items,).
        clusters: each item's source record.
        resamples: bootstrap draws.

    Returns:
        None where there are fewer than two clusters.
    """
    names, members = np.unique(np.asarray(clusters), return_inverse=True)
    if len(names) < 2:
        return None
    sums = np.bincount(members, weights=differences)
    counts = np.bincount(members).astype(np.float64)
    rng = np.random.default_rng(seed)
    means = np.empty(resamples)
    block = max(1, 2_000_000 // len(names))  # draws at a time, to bound memory
    for start in range(0, resamples, block):
        draws = rng.integers(len(names), size=(min(block, resamples - start), len(names)))
        means[start : start + len(draws)] = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(
        difference=float(np.mean(differences)), low=float(low), high=float(high), confidence_level=confidence_level
    )
