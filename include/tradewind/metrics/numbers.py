"""Agreement of numbers between answer and reference, which sentence embeddings hardly see; needs no model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tradewind.metrics.exact_form import Forms, chosen_form
from tradewind.numbers.amounts import given, is_given, stated


def numbers(
    answers: Sequence[str], references: Sequence[str], forms: Sequence[Forms | None]
) -> npt.NDArray[np.float64]:
    """F1 of the amounts of answer and reference, in digits or words; NaN where the reference states none.

    Recall is the share of the reference's amounts that the answer gives, precision the share of the answer's amounts
    that the reference gives; one in another unit is not given. "Eight percent" against "twelve percent" is 0.

    Args:
        forms: of each item the options of an exam question, if it is one: an option counts as its text, not its number.
    """
    scores = []
    for answer, reference, of_item in zip(answers, references, forms, strict=True):
        ours, theirs = _spelled_out(answer, of_item), _spelled_out(reference, of_item)
        wanted, said = stated(theirs), stated(ours)
        if not wanted:
            scores.append(np.nan)
            continue
        there, here = given(theirs), given(ours)
        recall = sum(is_given(amount, here) for amount in wanted) / len(wanted)
        precision = sum(is_given(amount, there) for amount in said) / len(said) if said else 1.0
        scores.append(2 * recall * precision / (recall + precision) if recall and precision else 0.0)
    return np.asarray(scores, dtype=np.float64)


def _spelled_out(answer: str, forms: Forms | None) -> str:
    label = chosen_form(answer, forms) if forms else None
    return answer if forms is None or label is None else forms[label]
