"""Random sets of paired differences whose true mean is known, and how often the interval covers it.

`cd tests && python -m known_differences` prints the coverage for several shapes and numbers of records.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tradewind.metrics.bootstrap import Draws, paired_bootstrap

Array = npt.NDArray[np.float64]
Shape = tuple[Callable[[np.random.Generator, Array], Array], float]
"""Each item's difference from each item's record, and the true mean."""


def _alike(rng: np.random.Generator, records: Array) -> Array:
    """Records that differ much, with questions that differ little."""
    of_record = rng.normal(0.3, 1.0, int(records.max()) + 1)
    return np.asarray(of_record[records.astype(int)] + rng.normal(0.0, 0.2, len(records)))


def _skewed(rng: np.random.Generator, records: Array) -> Array:
    return rng.exponential(1.0, len(records))


def _hits(rng: np.random.Generator, records: Array) -> Array:
    """What exact match gives: most answers are as right as before."""
    return rng.choice([-1.0, 0.0, 1.0], p=[0.1, 0.6, 0.3], size=len(records))


def _similarities(rng: np.random.Generator, records: Array) -> Array:
    """Between 0 and 1 for both models, a new model that is far better on most."""
    return rng.beta(3.0, 1.5, len(records)) - rng.beta(1.5, 4.5, len(records))


def _rare(rng: np.random.Generator, records: Array) -> Array:
    return rng.choice([0.0, 1.0], p=[0.93, 0.07], size=len(records))


SHAPES: dict[str, Shape] = {
    "alike": (_alike, 0.3),
    "skewed": (_skewed, 1.0),
    "hits": (_hits, 0.2),
    "similarities": (_similarities, 2 / 3 - 0.25),
}
RARE: Shape = (_rare, 0.07)


def covered(shape: Shape, size: int, *, sets: int, seed: int, resamples: int = 999) -> int:
    """In how many sets of `size` records, with one to five questions each, the 95 % interval holds the truth."""
    draw, truth = shape
    rng = np.random.default_rng(seed)
    inside = 0
    for at in range(sets):
        records = np.repeat(np.arange(size), rng.integers(1, 6, size)).astype(np.float64)
        found = paired_bootstrap(
            draw(rng, records), [f"{record:04.0f}" for record in records], Draws(resamples, 0.95, at)
        )
        assert found is not None
        inside += found[0].low <= truth <= found[0].high
    return inside


if __name__ == "__main__":
    for name, shape in (SHAPES | {"rare": RARE}).items():
        for size in (4, 8, 15, 30, 60):
            by_seed = [covered(shape, size, sets=200, seed=seed) / 200 for seed in range(10)]
            within = sum(0.93 <= share <= 0.97 for share in by_seed)
            print(
                f"{name:>13} {size:>3} records: {np.mean(by_seed):.1%} ({within} of 10 seeds within 93-97 %)",
                flush=True,
            )
