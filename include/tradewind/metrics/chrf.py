"""chrF: character n-gram F-score; needs no model and reads any language.

Popovic, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015; computed by sacrebleu
with its defaults (character order 6, word order 0, beta 2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def chrf(answers: Sequence[str], references: Sequence[str]) -> npt.NDArray[np.float64]:
    """The score of each answer against its reference, from 0 to 1."""
    from sacrebleu.metrics import CHRF

    metric = CHRF()
    scores = [
        metric.sentence_score(answer, [reference]).score / 100
        for answer, reference in zip(answers, references, strict=True)
    ]
    return np.asarray(scores, dtype=np.float64)


def floor(answers: Sequence[str], references: Sequence[str], facts: Sequence[str]) -> npt.NDArray[np.float64]:
    """The score of each answer against the reference of the next item about another fact.

    Shape (items,); NaN where every item is about one fact.
    """
    size = len(facts)
    others = [
        next((at % size for at in range(index + 1, index + size) if facts[at % size] != facts[index]), None)
        for index in range(size)
    ]
    wrong = [references[other] if other is not None else "" for other in others]
    return np.where([other is not None for other in others], chrf(answers, wrong), np.nan)
