"""What the model is asked about a passage, and the form of its answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Literal

from tradewind.asking.question import Question, fenced, object_of
from tradewind.config import ExtractConfig, Language


def extraction(text: str, language: Language, config: ExtractConfig) -> Question:
    """Pairs of a passage or of its summary."""
    texts = {"type": "array", "items": {"type": "string"}, "minItems": config.wordings, "maxItems": config.wordings}
    pair = object_of(questions=texts, answer={"type": "string"})
    schema = object_of(qa_pairs={"type": "array", "items": pair, "maxItems": config.max_pairs})
    instruction = _instruction("extract", language)
    filled = Template(instruction).substitute(max_pairs=config.max_pairs, wordings=config.wordings)
    return Question(filled, fenced("passage", text), schema)


def summary(text: str, language: Language) -> Question:
    """A passage's summary, as text."""
    return Question(_instruction("summarise", language), fenced("passage", text), None)


def verification(text: str, language: Language, pairs: Sequence[tuple[str, str]]) -> Question:
    """Whether a passage supports each pair of question and answer, numbered from 1."""
    lines = [
        json.dumps({"index": index, "question": question, "answer": answer}, ensure_ascii=False)
        for index, (question, answer) in enumerate(pairs, 1)
    ]
    verdict = object_of(index={"type": "integer"}, supported={"type": "boolean"})
    schema = object_of(verdicts={"type": "array", "items": verdict})
    data = f"{fenced('passage', text)}\n{fenced('pairs', chr(10).join(lines))}"
    return Question(_instruction("verify", language), data, schema)


@cache
def _instruction(name: Literal["extract", "summarise", "verify"], language: Language) -> str:
    return Path(__file__).with_name(f"{name}.{language}.txt").read_text(encoding="utf-8").strip()
