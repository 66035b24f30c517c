"""Sentences of a passage and questions that they answer, in the passage's language."""

from __future__ import annotations

import re
from collections.abc import Iterator

_KOREAN = (
    "‘{}’에 대해 알려진 사실은 무엇인가요?",
    "‘{}’에 관해 설명해 주세요.",
    "실무자가 ‘{}’에 대해 알아야 할 것은 무엇입니까?",
    "‘{}’라고 하면 무엇을 말하는 것인가요?",
    "무역에서 ‘{}’의 내용은 어떻게 되나요?",
    "‘{}’에 관한 설명으로 옳은 것은 무엇인가요?",
    "누군가 ‘{}’에 대해 묻는다면 어떻게 답해야 할까요?",
    "‘{}’의 핵심을 한 문장으로 말하면 무엇인가요?",
    "‘{}’에 대해 아는 대로 말해 보세요.",
    "‘{}’와 관련하여 기억할 점은 무엇인가요?",
)
_ENGLISH = (
    "What is known about “{}”?",
    "How would you explain “{}”?",
    "What should a practitioner remember of “{}”?",
    "Which statement completes “{}”?",
    "Can you say what holds for “{}”?",
    "What does the rule on “{}” say?",
    "If somebody asks about “{}”, what is the right answer?",
    "Tell me in one sentence about “{}”.",
    "In trade, what is meant by “{}”?",
    "Why does “{}” matter, and what is it?",
)
_TOPIC_WORDS = 12


def sentences(text: str) -> list[str]:
    """The sentences, each exactly as it stands in the text; lines end sentences too."""
    pieces = re.split(r"(?<=[.!?。?!])\s+|\n+", text)
    return [piece.strip() for piece in pieces if re.search(r"\w", piece)]


def asked(facts: list[str], wordings: int) -> Iterator[tuple[list[str], str]]:
    """For each fact its questions, so many wordings, and the fact as their answer; no two facts share a question."""
    seen: set[str] = set()
    different: dict[str, str] = {}
    for fact in facts:
        different.setdefault(re.sub(r"[\s.!?。?!]+$", "", fact), fact)
    for whole, fact in different.items():
        topic = " ".join(whole.split()[:_TOPIC_WORDS])
        topic = whole if topic in seen else topic
        seen.add(topic)
        templates = _KOREAN if re.search(r"[가-힣]", fact) else _ENGLISH
        rounds = (divmod(number, len(templates)) for number in range(wordings))
        yield [templates[at].format(topic) + f" ({turn + 1})" * (turn > 0) for turn, at in rounds], fact
