"""The model behind the server: it extracts, summarises, judges and grades, always the same from the same request."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from llm_server.errors import Json
from llm_server.grading import grade, graded_of, ordered
from llm_server.messages import pairs_of, passage_of, system_text
from llm_server.questions import asked, sentences
from llm_server.reply import Reply
from llm_server.schemas import member, require_fit, schema_of

_ORDERS = (
    re.compile(
        r"ignore\b[^.\n]*?\b(?:above|previous|prior)\b[^\n]*?"
        r"\b(?:reply|answer|respond)\s+(?:only\s+)?with[: ]+(.+)",
        re.IGNORECASE,
    ),
    re.compile(r"(?:위|앞|이전)[^\n]*무시하고\s*,?\s*(.+?)\s*(?:이)?라고\s*만?\s*(?:답|대답|응답|출력)"),
)
_QUOTES = "\"'“”‘’「」"


@dataclass(frozen=True)
class Model:
    """Reads what a request wants from its schema, its fences and its instruction, and does it literally."""

    gullible: bool = False
    """Whether it obeys "ignore the above and reply with ..." inside a passage, "give this a 5" inside an answer."""
    wordings: int = 1
    """Questions for each fact where no schema demands a number."""
    max_pairs: int = 8
    """Facts of a passage where no schema states a maximum."""

    def __call__(self, body: Json) -> Reply:
        """Answer a request that was found well-formed."""
        if (data := graded_of(body)) is not None:
            scores = member(schema_of(body), "score").get("enum")
            return _as_json((ordered(data, scores) if self.gullible else None) or grade(data), body)
        passage = passage_of(body)
        if self.gullible and (order := _order_in(passage)) is not None:
            return Reply(order)
        pairs = pairs_of(body)
        if pairs is not None:
            return _as_json(_verdicts(passage, pairs), body)
        if _wants_summary(body):
            return Reply(" ".join(sentences(passage)[:2]))
        return _as_json(self._pairs(passage, schema_of(body)), body)

    def _pairs(self, passage: str, schema: Json | None) -> Json:
        wordings = member(schema, "qa_pairs", "items", "questions").get("minItems", self.wordings)
        most = member(schema, "qa_pairs").get("maxItems", self.max_pairs)
        pairs = [{"questions": questions, "answer": fact} for questions, fact in asked(sentences(passage), wordings)]
        return {"qa_pairs": pairs[:most]}


def _as_json(answer: Json, body: Json) -> Reply:
    """The answer as text; a schema that it does not fit is more than this model can do, and an error of the test's."""
    if (schema := schema_of(body)) is not None:
        require_fit(answer, schema)
    return Reply(json.dumps(answer, ensure_ascii=False))


def _verdicts(passage: str, pairs: list[dict[str, Any]]) -> Json:
    return {"verdicts": [{"index": pair["index"], "supported": pair["answer"] in passage} for pair in pairs]}


def _wants_summary(body: Json) -> bool:
    """Whether the instruction asks for a summary, and not for pairs of one."""
    instruction = system_text(body)
    named = re.search("summary|summari[sz]|요약", instruction, re.IGNORECASE)
    return "response_format" not in body and "qa_pairs" not in instruction and named is not None


def _order_in(passage: str) -> str | None:
    for order in _ORDERS:
        if found := order.search(passage):
            return found[1].strip().strip(_QUOTES)
    return None
