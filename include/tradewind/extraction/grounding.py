"""Whether a passage supports an answer.

The tests are cheap and look at words, numbers and, where an encoder can read the language, at nearness. They cannot see
whether the answer follows: opposites by another word, roles exchanged in a new sentence, a condition left out pass, and
an answer that is worked out (a sum, a share) may fall. `extract.grounding.judge` is for those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tradewind.config import GroundingConfig, Language
from tradewind.extraction.contradiction import contradiction
from tradewind.extraction.nearness import Embed, nearness
from tradewind.extraction.words import share
from tradewind.numbers.amounts import counted, given, stated


@dataclass(frozen=True)
class Claim:
    """An answer and the passage that it was drawn from."""

    answer: str
    passage: str
    language: Language


def faults(claims: Sequence[Claim], config: GroundingConfig, embed: Embed, max_floor: float) -> list[str | None]:
    """Why each claim counts as unsupported; None where it counts as supported.

    An answer is supported whose numbers all stand in the passage with their units, which does not contradict a sentence
    that it nearly repeats, and which either shares enough words with the passage or lies near enough to one of its
    sentences. Numbers and contradictions come first, since neither of the other two sees them. Nearness is left out for
    a language that the encoder cannot read (see `nearness`); it does not depend on the other claims.
    """
    found: list[str | None] = []
    doubtful: list[int] = []
    overlaps = [overlap(claim) for claim in claims]
    for index, claim in enumerate(claims):
        fault = _number(claim) or contradiction(claim.answer, claim.passage, claim.language)
        found.append(fault and f"not supported by its passage: {fault}")
        if fault is None and overlaps[index] < config.min_overlap:
            doubtful.append(index)
    pairs = [(claims[index].answer, claims[index].passage) for index in doubtful]
    near = nearness(pairs, [claims[index].language for index in doubtful], embed, max_floor)
    for index, cosine in zip(doubtful, near, strict=True):
        if cosine is None or cosine < config.min_similarity:
            similarity = "" if cosine is None else f", similarity {cosine:.2f}"
            found[index] = f"not supported by its passage (overlap {overlaps[index]:.2f}{similarity})"
    return found


def overlap(claim: Claim) -> float:
    """The share of the answer's words that the passage holds, by their stems, from 0 to 1."""
    return share(claim.answer, claim.passage, claim.language)


def _number(claim: Claim) -> str | None:
    """The first number of the answer that the passage does not give, or gives of something else only."""
    there = given(claim.passage)
    for amount in stated(claim.answer):
        held = [reading for reading in amount.readings if reading <= there.keys()]
        if not held:
            return f"the number {min(amount.readings[0] - there.keys()):.15g} is not in it"
        if amount.unit and not any(counted(reading, amount.unit, there) for reading in held):
            return f"the number {min(held[0]):.15g} is not in it as that of a {amount.unit}"
    return None
