"""Two models on the same questions: difference, interval, p, and who won how often."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tradewind.metrics.bootstrap import Draws, paired_bootstrap
from tradewind.scores import Comparison

_EQUAL = 1e-9  # scores are kept with six digits


def compare(
    first: npt.NDArray[np.float64], second: npt.NDArray[np.float64], records: Sequence[str], draws: Draws
) -> Comparison | None:
    """`second` minus `first`, scores of the same items, whose source records are `records`.

    Exchanging the two negates the difference, exchanges the interval's ends with their signs changed, and leaves p.

    Returns:
        None where `paired_bootstrap` gives no interval.
    """
    differences = second - first
    found = paired_bootstrap(differences, records, draws)
    if found is None:
        return None
    interval, p = found
    wins, losses = int((differences > _EQUAL).sum()), int((differences < -_EQUAL).sum())
    n = len(differences)
    return Comparison(**interval.model_dump(), p=p, wins=wins, ties=n - wins - losses, losses=losses, n=n)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values for their number, in the order given: at 0.05 one family in twenty errs, not one test.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6 (1979).
    It holds for tests that depend on each other, as metrics of the same answers do.
    """
    size = len(p_values)
    corrected = [0.0] * size
    highest = 0.0
    for rank, at in enumerate(sorted(range(size), key=lambda at: p_values[at])):
        highest = max(highest, min(1.0, (size - rank) * p_values[at]))
        corrected[at] = highest
    return corrected
