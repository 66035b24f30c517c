"""Exact match: whether an answer is the term or the exam option that the reference names; needs no model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tradewind.metrics.exact_form import Forms, chosen_form


def exact_match(
    answers: Sequence[str], references: Sequence[str], forms: Sequence[Forms | None]
) -> npt.NDArray[np.float64]:
    """1 where the answer names the same option or term as the reference, 0 where not; NaN where there is no exact form.

    Args:
        forms: of each item its options, or its only term; None for an answer in free text (see `exact_forms`).
    """
    scores = []
    for answer, reference, of_item in zip(answers, references, forms, strict=True):
        right = chosen_form(reference, of_item) if of_item else None
        scores.append(np.nan if right is None else float(chosen_form(answer, of_item or {}) == right))
    return np.asarray(scores, dtype=np.float64)
