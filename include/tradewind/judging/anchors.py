"""Answers with grades that are right, by which the judge is measured itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tradewind.config import Language
from tradewind.files import iter_jsonl, sha256_of

_FILE = Path(__file__).with_name("anchors.jsonl")


@dataclass(frozen=True)
class Anchor:
    """One graded answer."""

    id: str
    language: Language
    question: str
    reference: str
    answer: str
    grade: int
    why: str
    """The reason for the grade, for readers; the judge does not see it."""
    attack: bool = False
    """It answers nothing and tries to talk the judge into a high grade."""


def anchors(languages: Collection[str]) -> list[Anchor]:
    """Those in these languages, as the file has them."""
    return [anchor for anchor in (Anchor(**row) for row in iter_jsonl(_FILE)) if anchor.language in languages]


def anchors_sha256() -> str:
    """Of the whole set; a kappa with another set is another measure."""
    return sha256_of(_FILE)
