"""Proof from the published rows that every record keeps to its kind, apart from the code that made the split."""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tradewind.kinds import KINDS
from tradewind.text_keys import exact_key, text_key
from tradewind.texts import normalise

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Use = Literal["train", "reworded", "read", "unseen"]
USES: tuple[Use, ...] = ("train", *KINDS)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_TELLING = 30  # characters of a sentence that says something of its own


@dataclass(frozen=True)
class Check:
    """A claim about the split, and how it fared."""

    claim: str
    checked: int
    violations: int
    first: str = ""
    """Where the first violation is."""


class SplitProof:
    """Takes in every pair, then every text of the corpus, and says what holds.

    A million pairs take 32 MB; of *read* and *unseen* records alone the texts are kept too, as keys.
    """

    def __init__(self) -> None:
        self._keys: dict[tuple[Use, str], array[int]] = defaultdict(lambda: array("Q"))
        self._read, self._read_found = set[int](), set[int]()
        self._unseen, self._unseen_found = set[int](), set[int]()
        self._texts = 0
        self._first_told = ""

    def add_pair(self, use: Use, row: Mapping[str, Any], question_key: int) -> None:
        """Take in a row of `train.jsonl` or `heldout.jsonl` with the key (`text_key`) of its question."""
        for name in ("id", "fact_id", "record_id"):
            self._keys[use, name].append(exact_key(row[name]))
        self._keys[use, "question"].append(question_key)
        if use == "read":
            self._read.add(text_key(row["context"]))
        elif use == "unseen":
            self._unseen |= _telling_parts(row["context"])

    def add_text(self, text: str) -> None:
        """Take in the next text of `corpus.jsonl`, once all pairs are in."""
        self._texts += 1
        parts = _telling_parts(text)
        self._read_found |= self._read & parts
        told = self._unseen & parts
        if told and not self._unseen_found:
            self._first_told = f"corpus.jsonl, line {self._texts}"
        self._unseen_found |= told

    def checks(self) -> tuple[Check, ...]:
        """What the kinds promise, each claim with the number of things looked at and of violations."""
        return (
            self._each_pair_once(),
            self._among("reworded", "fact_id", ("train",), "the fact is trained on", wanted=True),
            self._among("reworded", "question", ("train",), "the question is not trained on"),
            self._among("read", "record_id", ("train", "reworded"), "nothing of the record is trained on or reworded"),
            self._among("read", "question", ("train", "reworded"), "the question is neither trained on nor reworded"),
            Check("read: the text is in the corpus", len(self._read), len(self._read - self._read_found)),
            self._among("unseen", "record_id", USES[:3], "nothing of the record is of another kind"),
            self._among("unseen", "question", USES[:3], "the question is of no other kind"),
            Check(
                "unseen: no text, and no longer sentence of one, is in the corpus",
                len(self._unseen),
                len(self._unseen_found),
                self._first_told,
            ),
        )

    def _each_pair_once(self) -> Check:
        import numpy as np

        ids = self._joined("id", USES)
        return Check("each pair stands once, in one kind", len(ids), len(ids) - len(np.unique(ids)))

    def _among(self, kind: Use, field: str, others: Iterable[Use], claim: str, *, wanted: bool = False) -> Check:
        """Whether the `field` of no (or, if `wanted`, of every) pair of a kind is met in `others`."""
        import numpy as np

        keys = self._joined(field, (kind,))
        wrong = np.flatnonzero(np.isin(keys, self._joined(field, others)) != wanted)
        first = f"{kind} pair {wrong[0] + 1}" if len(wrong) else ""
        return Check(f"{kind}: {claim}", len(keys), len(wrong), first)

    def _joined(self, field: str, uses: Iterable[Use]) -> NDArray[np.uint64]:
        import numpy as np

        return np.concatenate([np.frombuffer(self._keys[use, field], dtype=np.uint64) for use in uses])


def assert_kept(checks: Iterable[Check]) -> None:
    """Let no data set out whose split is broken.

    Raises:
        AssertionError: a claim does not hold: a fault of ours.
    """
    for check in checks:
        if check.violations:
            where = f", first: {check.first}" if check.first else ""
            raise AssertionError(
                f"the split is broken: not so for {check.violations} of {check.checked}: {check.claim}{where}"
            )


def _telling_parts(text: str) -> set[int]:
    """Keys of the text and of each of its sentences that says something of its own."""
    plain = (normalise(part) for part in _SENTENCE_END.split(text))
    return {text_key(text)} | {exact_key(part) for part in plain if len(part) >= _TELLING}
