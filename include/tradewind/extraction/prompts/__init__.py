"""What the model is asked, and the form of its answer: instructions in one message, the document in another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Literal

from tradewind.config import ExtractConfig, Language

Schema = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """One request to the model, whole but for the server's own options."""

    instruction: str
    data: str
    """The document, between marks that it cannot hold."""
    schema: Schema | None
    """JSON schema of the answer; None: the answer is text."""

    @property
    def messages(self) -> list[dict[str, str]]:
        """The document travels in a message of its own, so that no text of it stands among the instructions."""
        return [{"role": "system", "content": self.instruction}, {"role": "user", "content": self.data}]

    @property
    def single_message(self) -> list[dict[str, str]]:
        """For models that know no system message; the document still stands between its marks."""
        return [{"role": "user", "content": f"{self.instruction}\n\n{self.data}"}]

    def key(self, model: str, temperature: float | None) -> str:
        """A hash of all that decides the answer: model, prompt and passage."""
        asked = [model, temperature, self.messages, self.schema]
        return hashlib.sha256(json.dumps(asked, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def extraction(text: str, language: Language, config: ExtractConfig) -> Question:
    """Pairs of a passage or of its summary."""
    texts = {"type": "array", "items": {"type": "string"}, "minItems": config.wordings, "maxItems": config.wordings}
    pair = _object(questions=texts, answer={"type": "string"})
    schema = _object(qa_pairs={"type": "array", "items": pair, "maxItems": config.max_pairs})
    instruction = _instruction("extract", language)
    filled = Template(instruction).substitute(max_pairs=config.max_pairs, wordings=config.wordings)
    return Question(filled, _fenced("passage", text), schema)


def summary(text: str, language: Language) -> Question:
    """A passage's summary, as text."""
    return Question(_instruction("summarise", language), _fenced("passage", text), None)


def verification(text: str, language: Language, pairs: Sequence[tuple[str, str]]) -> Question:
    """Whether a passage supports each pair of question and answer, numbered from 1."""
    lines = [
        json.dumps({"index": index, "question": question, "answer": answer}, ensure_ascii=False)
        for index, (question, answer) in enumerate(pairs, 1)
    ]
    verdict = _object(index={"type": "integer"}, supported={"type": "boolean"})
    schema = _object(verdicts={"type": "array", "items": verdict})
    data = f"{_fenced('passage', text)}\n{_fenced('pairs', chr(10).join(lines))}"
    return Question(_instruction("verify", language), data, schema)


@cache
def _instruction(name: Literal["extract", "summarise", "verify"], language: Language) -> str:
    return Path(__file__).with_name(f"{name}.{language}.txt").read_text(encoding="utf-8").strip()


def _fenced(name: str, text: str) -> str:
    """The text between marks made from its own hash, which it therefore cannot hold."""
    mark = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return f"<{mark}>\n{text}\n</{mark}>"


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
