"""Whether a passage supports an answer, and whether a question can stand without it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tradewind.config import GroundingConfig, Language
from tradewind.near_duplicates import normalise
from tradewind.sentences import sentences

Vectors = npt.NDArray[np.float64]
Embed = Callable[[Sequence[str]], Vectors]
"""Unit vectors of texts, shape (texts, dimensions)."""

_GRAM: dict[Language, int] = {"en": 5, "ko": 3}
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_TOLD = r"(?:passage|speaker|lecture|lecturer|transcript|excerpt)"
_BOUND: dict[Language, re.Pattern[str]] = {
    "en": re.compile(
        rf"\b(?:the|this|that)\s+(?:\w+\s+)?{_TOLD}\b"
        r"|\baccording to (?:the|this|that)\s+(?:text|author|paragraph|talk|presenter|video)\b"
        r"|\b(?:mentioned|described|discussed|stated|listed|given) (?:above|below|here|earlier)\b",
        re.IGNORECASE,
    ),
    "ko": re.compile(
        r"본문|지문에|위\s*글|윗글|이\s글|위\s*내용|주어진\s*(?:글|내용|텍스트)|이\s강의|강의에서|강연에서|강사|화자|발표자|연사|텍스트에"
    ),
}


@dataclass(frozen=True)
class Claim:
    """An answer and the passage that it was drawn from."""

    answer: str
    passage: str
    language: Language


def is_passage_bound(question: str, language: Language) -> bool:
    """Whether a question makes sense only beside its passage ("according to the speaker ...")."""
    return bool(_BOUND[language].search(question))


def faults(claims: Sequence[Claim], config: GroundingConfig, embed: Embed, max_floor: float) -> list[str | None]:
    """Why each claim counts as unsupported; None where it counts as supported.

    An answer is supported whose numbers all stand in the passage and which either shares enough
    character n-grams with it or lies near enough to one of its sentences. Numbers come first, since
    neither of the other two sees them. Nearness is left out for a language whose texts the encoder
    holds all alike: where two passages score above `max_floor` on average.
    """
    found: list[str | None] = [None] * len(claims)
    doubtful: list[int] = []
    overlaps = [overlap(claim) for claim in claims]
    for index, claim in enumerate(claims):
        if missing := sorted(numbers(claim.answer) - numbers(claim.passage)):
            found[index] = f"not supported by its passage: the number {missing[0]:g} is not in it"
        elif overlaps[index] < config.min_overlap:
            doubtful.append(index)
    for index, nearness in zip(doubtful, _nearness(claims, doubtful, embed, max_floor), strict=True):
        if nearness is None or nearness < config.min_similarity:
            similarity = "" if nearness is None else f", similarity {nearness:.2f}"
            found[index] = f"not supported by its passage (overlap {overlaps[index]:.2f}{similarity})"
    return found


def overlap(claim: Claim) -> float:
    """The share of the answer's character n-grams that the passage holds, from 0 to 1."""
    length = _GRAM[claim.language]
    grams = _grams(claim.answer, length)
    return len(grams & _grams(claim.passage, length)) / len(grams)


def numbers(text: str) -> set[float]:
    """The numbers of a text, in digits or in English words, without their thousands separators."""
    from text_to_num import alpha2digit

    found: set[float] = set()
    for match in _NUMBER.findall(alpha2digit(text.replace("-", " "), "en")):
        plain = re.sub(r",(?=\d{3}(?:\D|$))", "", match)
        # A version or a date such as 1.2.3 is its parts.
        parts = [plain] if re.fullmatch(r"\d+(?:\.\d+)?", plain) else re.split(r"[.,]", plain)
        found.update(float(part) for part in parts)
    return found


def _grams(text: str, length: int) -> set[str]:
    plain = normalise(text)
    return {plain[at : at + length] for at in range(max(1, len(plain) - length + 1))}


def _nearness(claims: Sequence[Claim], chosen: Sequence[int], embed: Embed, max_floor: float) -> list[float | None]:
    """The cosine of each chosen answer to its passage's nearest sentence; None where the encoder cannot judge."""
    languages = {claims[index].language for index in chosen}
    passages = {
        language: list(dict.fromkeys(claim.passage for claim in claims if claim.language == language))
        for language in sorted(languages)
    }
    parts = {claims[index].passage: sentences(claims[index].passage) for index in chosen}
    texts = list(
        dict.fromkeys(
            [passage for group in passages.values() for passage in group]
            + [claims[index].answer for index in chosen]
            + [part for group in parts.values() for part in group]
        )
    )
    if not texts:
        return []
    vectors = embed(texts)
    row = {text: index for index, text in enumerate(texts)}
    floors = {language: _floor(vectors[[row[text] for text in group]]) for language, group in passages.items()}
    found: list[float | None] = []
    for claim in (claims[index] for index in chosen):
        near = vectors[[row[part] for part in parts[claim.passage]]] @ vectors[row[claim.answer]]
        found.append(float(near.max()) if floors[claim.language] <= max_floor else None)
    return found


def _floor(vectors: Vectors) -> float:
    """The mean cosine of different texts; 1 for a single one, of which nothing can be told."""
    n = len(vectors)
    if n < 2:
        return 1.0
    total = vectors.sum(axis=0)
    return float((total @ total - n) / (n * (n - 1)))
