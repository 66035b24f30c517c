"""Pairs and verdicts from the text of a model's answer, whatever wraps it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tradewind.asking.json_in_text import UnusableAnswerError, members
from tradewind.sources.record import is_broken, one_line


@dataclass(frozen=True)
class Candidate:
    """One fact: its questions, all of which have the one answer."""

    questions: tuple[str, ...]
    answer: str


def read_pairs(text: str) -> tuple[list[Candidate], list[tuple[Any, str]]]:
    """The facts of an answer, and each member that is none with its reason.

    Raises:
        UnusableAnswerError: the text holds no list of pairs, or only a part of one.
    """
    facts: list[Candidate] = []
    faults: list[tuple[Any, str]] = []
    for member in members(text, "qa_pairs", ("question", "questions", "answer")):
        questions, answer = _parts(member)
        if not questions or not answer:
            faults.append((member, "no question" if not questions else "no answer"))
        elif is_broken(answer, *questions):
            faults.append((member, "half of a character"))
        else:
            facts.append(Candidate(tuple(dict.fromkeys(questions)), answer))
    return facts, faults


def read_verdicts(text: str, count: int) -> list[bool]:
    """Whether each of `count` pairs is supported.

    Raises:
        UnusableAnswerError: a pair has no verdict, or two that differ.
    """
    verdicts: dict[int, bool] = {}
    for member in members(text, "verdicts", ("index", "supported")):
        index, supported = (member.get("index"), member.get("supported")) if isinstance(member, dict) else (None, None)
        if not isinstance(index, int) or isinstance(index, bool) or not isinstance(supported, bool):
            raise UnusableAnswerError("a verdict without index or supported")
        if verdicts.setdefault(index, supported) != supported:
            raise UnusableAnswerError(f"two verdicts on pair {index}")
    if sorted(verdicts) != list(range(1, count + 1)):
        raise UnusableAnswerError(f"verdicts on pairs {sorted(verdicts)}, asked were 1 to {count}")
    return [verdicts[index] for index in range(1, count + 1)]


def read_text(text: str) -> str:
    """A summary; UnusableAnswerError for an empty one."""
    plain = one_line(text)
    if not plain or is_broken(plain):
        raise UnusableAnswerError("an empty summary" if not plain else "half of a character")
    return plain


def _parts(member: Any) -> tuple[list[str], str]:
    """Questions and answer of one member: the form asked for, and those that models drift to."""
    if not isinstance(member, dict):
        return [], ""
    asked = member.get("questions", member.get("question"))
    questions = [one_line(text) for text in (asked if isinstance(asked, list) else [asked]) if isinstance(text, str)]
    answer = member.get("answer")
    listed = answer if isinstance(answer, list) else [answer]
    if not all(_is_plain(part) for part in listed):
        return [text for text in questions if text], ""
    parts = [one_line(str(part)) for part in listed]
    return [text for text in questions if text], ", ".join(part for part in parts if part)


def _is_plain(part: Any) -> bool:
    """A text or a number; `1e999` and `NaN` are read as numbers that no text means."""
    if isinstance(part, float):
        return math.isfinite(part)
    return isinstance(part, str | int) and not isinstance(part, bool)
