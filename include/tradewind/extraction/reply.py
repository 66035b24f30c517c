"""Pairs and verdicts from the text of a model's answer, whatever wraps it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tradewind.sources.record import is_broken, one_line

_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)


class UnusableAnswerError(ValueError):
    """The answer is not of the form that was asked for; its text says why."""


@dataclass(frozen=True)
class Candidate:
    """One fact: its questions, all of which have the one answer."""

    questions: tuple[str, ...]
    answer: str


def read_pairs(text: str) -> tuple[list[Candidate], list[tuple[Any, str]]]:
    """The facts of an answer, and each member that is none with its reason.

    Raises:
        UnusableAnswerError: the text holds no list of pairs, or was cut off.
    """
    members = _members(text, "qa_pairs")
    facts: list[Candidate] = []
    faults: list[tuple[Any, str]] = []
    for member in members:
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
    for member in _members(text, "verdicts"):
        index, supported = (member.get("index"), member.get("supported")) if isinstance(member, dict) else (None, None)
        if not isinstance(index, int) or not isinstance(supported, bool):
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


def _members(text: str, name: str) -> list[Any]:
    document = _json_in(text)
    members = document.get(name) if isinstance(document, dict) else document
    if not isinstance(members, list):
        raise UnusableAnswerError(f'no list "{name}"')
    return members


def _json_in(text: str) -> Any:
    """The JSON document in a text: alone, in a code fence or in prose, mended where only its form is wrong."""
    fenced = _FENCE.search(text)
    inner = (fenced[1] if fenced else text).strip()
    start = min((place for place in (inner.find("{"), inner.find("[")) if place >= 0), default=-1)
    if start < 0:
        raise UnusableAnswerError("no JSON")
    try:
        return json.JSONDecoder(strict=False).raw_decode(inner, start)[0]
    except (json.JSONDecodeError, RecursionError):
        pass
    # Mending a text that was cut off would make up the end of its last answer.
    if inner[-1] not in "}]":
        raise UnusableAnswerError("JSON that is cut off")
    from json_repair import repair_json

    try:
        mended = repair_json(inner[start:], return_objects=True, skip_json_loads=True)
    except (RecursionError, ValueError) as error:
        raise UnusableAnswerError("broken JSON") from error
    if _letters(json.dumps(mended, ensure_ascii=False)) != _letters(inner[start:]):
        raise UnusableAnswerError("broken JSON, of which mending would lose a part")
    return mended


def _letters(text: str) -> str:
    """What is left of a JSON document without its signs and escapes: the same before and after mending its form."""
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)
    return re.sub(r"\\[bfnrt]|[\W_]", "", plain)


def _parts(member: Any) -> tuple[list[str], str]:
    """Questions and answer of one member: the form asked for, and those that models drift to."""
    if not isinstance(member, dict):
        return [], ""
    asked = member.get("questions", member.get("question"))
    questions = [one_line(text) for text in (asked if isinstance(asked, list) else [asked]) if isinstance(text, str)]
    answer = member.get("answer")
    listed = answer if isinstance(answer, list) else [answer]
    if not all(isinstance(part, str | int | float) and not isinstance(part, bool) for part in listed):
        return [text for text in questions if text], ""
    parts = [one_line(str(part)) for part in listed]
    return [text for text in questions if text], ", ".join(part for part in parts if part)
