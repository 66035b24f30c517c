"""Questions that were given different answers."""

from __future__ import annotations

from array import array
from collections.abc import Iterator


class Contradictions:
    """Takes in pairs as they pass by and finds the contradictory ones at the end.

    A million pairs take 16 MB, and some 65 MB while `groups` works.
    """

    def __init__(self) -> None:
        self._questions = array("Q")
        self._answers = array("Q")

    def add(self, question_key: int, answer_key: int) -> None:
        """Take in the next pair, by the keys (`text_key`) of its question and its answer."""
        self._questions.append(question_key)
        self._answers.append(answer_key)

    def groups(self) -> Iterator[tuple[int, ...]]:
        """The places, counted from 0 in the order of `add`, of pairs with one question but not one answer."""
        import numpy as np

        questions = np.frombuffer(self._questions, dtype=np.uint64)
        order = np.argsort(questions, kind="stable")
        questions, answers = questions[order], np.frombuffer(self._answers, dtype=np.uint64)[order]
        same_question = questions[1:] == questions[:-1]
        starts = np.flatnonzero(np.concatenate(([True], ~same_question)))[: len(questions)]
        contested = same_question & (answers[1:] != answers[:-1])
        found = np.unique(np.searchsorted(starts, np.flatnonzero(contested), side="right") - 1)
        ends = np.append(starts[1:], len(questions))
        for group in sorted(found, key=lambda group: int(order[starts[group]])):
            yield tuple(order[starts[group] : ends[group]].tolist())
