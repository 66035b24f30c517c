"""A verdict from the text of the judge's answer, whatever wraps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tradewind.asking.json_in_text import UnusableAnswerError, objects
from tradewind.sources.record import is_broken, one_line


@dataclass(frozen=True)
class Verdict:
    """A score from 1 to 5 and the reasoning that led to it."""

    reasoning: str
    score: int


def read_verdict(text: str) -> Verdict:
    """The verdict of an answer.

    Raises:
        UnusableAnswerError: no verdict, one that is none (6, "five", 3.5, true), or several that differ.
    """
    found = [_checked(member) for member in objects(text) if "score" in member]
    if not found:
        raise UnusableAnswerError("no JSON object with a score")
    if len({verdict.score for verdict in found}) > 1:
        raise UnusableAnswerError("several verdicts that differ")
    return found[-1]


def _checked(member: dict[str, Any]) -> Verdict:
    score, reasoning = member["score"], member.get("reasoning")
    if type(score) is not int or not 1 <= score <= 5:  # `true` is an int for isinstance
        raise UnusableAnswerError(f"a score of {json.dumps(score)[:40]}, asked was an integer from 1 to 5")
    if not isinstance(reasoning, str) or not reasoning.strip():
        raise UnusableAnswerError("a score without reasoning")
    if is_broken(reasoning):
        raise UnusableAnswerError("half of a character")
    return Verdict(one_line(reasoning), score)
