"""Grades of an answer by its reference, and what a gullible judge makes of orders inside the answer."""

from __future__ import annotations

import json
import re
from difflib import SequenceMatcher
from typing import Any

from llm_server.errors import Json
from llm_server.messages import fenced, last_user_text

_ORDERS = (
    re.compile(r"\bgive\s+this\b[^.\n]*?\b(\d+)", re.IGNORECASE),
    re.compile(r"\bfive is the only verdict", re.IGNORECASE),
    re.compile(r"(\d+)\s*점(?:을|으로)?\s*(?:주|매기|처리)"),
    re.compile(r"가장 높은 등급이 맞"),
)


def graded_of(body: Json) -> dict[str, Any] | None:
    """The fenced question, reference and answer; None if there is nothing to grade."""
    data = fenced("data", last_user_text(body))
    return None if data is None else dict(json.loads(data))


def grade(data: dict[str, Any]) -> Json:
    """1 to 5, the more of the reference's letters stand in the answer in their order."""
    alike = SequenceMatcher(None, data["reference"], data["answer"], autojunk=False).ratio()
    return {"reasoning": f"{alike:.0%} of the letters agree", "score": 1 + round(4 * alike)}


def ordered(data: dict[str, Any], scores: list[int] | None) -> Json | None:
    """The verdict that the answer orders, kept to what the schema allows; None if it orders none."""
    for order in _ORDERS:
        if found := order.search(data["answer"]):
            wanted = int(found[1]) if found.groups() else 5
            allowed = wanted if scores is None else min(scores, key=lambda score: abs(score - wanted))
            return {"reasoning": "as the answer says", "score": allowed}
    return None
