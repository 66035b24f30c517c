"""Question/answer pairs in the original's proportions: 60 % glossary (short), 34 % transcript, 6 % exam (long).

For the embedded model they are drawn from the sample documents, so that something can be learnt; for the others they
are made of the bench vocabulary's words, the same for the same seed. The original's rows are not published: its
article names the kinds and their shares, and the lengths in tokens stand here, at a scale of 1. A glossary's
term comes as two rows, asked by its description and by its name.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from setting.scale import Scale
from setting.vocabulary import words

MIX = {"glossary": 0.60, "transcript": 0.34, "exam": 0.06}
_FRAME = 12  # words of a question that are alike in every question of its kind
_TERM = (2, 4)
_DESCRIPTION = (40, 80)
_TRANSCRIPT = ((16, 56), (40, 110))
_EXAM = ((150, 400), (20, 60))
_SOURCES = {"term": "glossary", "transcript": "transcript", "exam": "exam"}


@dataclass(frozen=True)
class Pair:
    """A question and its answer."""

    kind: str
    question: str
    answer: str


def counts(rows: int) -> dict[str, int]:
    """How many rows of each kind: the shares, the remainder to the largest fractions."""
    exact = {kind: share * rows for kind, share in MIX.items()}
    found = {kind: int(value) for kind, value in exact.items()}
    for kind in sorted(MIX, key=lambda kind: found[kind] - exact[kind])[: rows - sum(found.values())]:
        found[kind] += 1
    return found


def pairs_of(scale: Scale, rows: int, seed: int = 7) -> list[Pair]:
    """So many pairs in a shuffled order; those of another seed are others, of the same words and kinds."""
    rng = random.Random(f"{scale.name}/{seed}")
    found = _synthetic(scale, counts(rows), rng) if scale.vocabulary else _of_samples(counts(rows), rng)
    rng.shuffle(found)
    return found


def train_and_held_out(scale: Scale, seed: int = 7) -> tuple[list[Pair], list[Pair]]:
    """The pairs to train on, and others of the same kinds."""
    if scale.vocabulary:
        return pairs_of(scale, scale.rows, seed), pairs_of(scale, scale.held_out, seed + 1)
    both = pairs_of(scale, scale.rows + scale.held_out, seed)
    return both[scale.held_out :], both[: scale.held_out]


def _synthetic(scale: Scale, wanted: dict[str, int], rng: random.Random) -> list[Pair]:
    known = words(scale.vocabulary)
    # By Zipf's law, as words of a language are: the loss can fall by learning which are frequent.
    frequent = list(accumulate(1 / (rank + 2) for rank in range(len(known))))
    frames = random.Random(scale.name)
    asks = {kind: frames.choices(known, k=_FRAME) for kind in (*MIX, "mirrored")}

    def text(lengths: tuple[int, int]) -> list[str]:
        count = max(2, round(rng.randint(*lengths) * scale.length))
        return rng.choices(known, cum_weights=frequent, k=count)

    def ask(kind: str, body: list[str]) -> str:
        return " ".join(asks[kind][: max(2, round(_FRAME * scale.length))] + body)

    found = []
    for _ in range(-(-wanted["glossary"] // 2)):
        term, description = rng.choices(known, k=rng.randint(*_TERM)), text(_DESCRIPTION)
        found.append(Pair("glossary", ask("glossary", description), " ".join(term)))
        found.append(Pair("glossary", ask("mirrored", term), " ".join(description)))
    del found[wanted["glossary"] :]
    for kind, (question, answer) in (("transcript", _TRANSCRIPT), ("exam", _EXAM)):
        found += [Pair(kind, ask(kind, text(question)), " ".join(text(answer))) for _ in range(wanted[kind])]
    return found


def _of_samples(wanted: dict[str, int], rng: random.Random) -> list[Pair]:
    """Of the English sample documents, which hold some two hundred pairs of a glossary; ValueError beyond."""
    from tradewind.recipes import resolve
    from tradewind.sources import iter_documents
    from tradewind.sources.location import SAMPLES
    from tradewind.sources.record import Record

    there: dict[str, list[Pair]] = defaultdict(list)
    for item in iter_documents(Path(SAMPLES) / "en", resolve("tiny", "embedded:en").data):
        if isinstance(item, Record):
            kind = _SOURCES[item.source]
            there[kind] += [Pair(kind, pair.question, pair.answer) for pair in item.pairs]
    return [pair for kind, count in wanted.items() for pair in rng.sample(there[kind], count)]
