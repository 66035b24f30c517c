"""What the judge is asked: the rubric as instruction, and question, reference and answer as data."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from tradewind.asking.question import Question, fenced, object_of
from tradewind.config import Language
from tradewind.files import sha256_of

# The reasoning comes first, so that the score follows from it.
_SCHEMA = object_of(reasoning={"type": "string"}, score={"type": "integer", "enum": [1, 2, 3, 4, 5]})


def grading(question: str, reference: str, answer: str, language: Language, occasion: str = "") -> Question:
    """One answer to grade; nothing tells whose it is."""
    data = json.dumps({"question": question, "reference": reference, "answer": answer}, ensure_ascii=False)
    return Question(_rubric(language), fenced("data", data), _SCHEMA, occasion)


def rubric_sha256(language: Language) -> str:
    """Of the rubric's file; scores under different ones are not comparable."""
    return sha256_of(_file(language))


@cache
def _rubric(language: Language) -> str:
    return _file(language).read_text(encoding="utf-8").strip()


def _file(language: Language) -> Path:
    return Path(__file__).with_name(f"judge.{language}.txt")
