"""Which pairs are trained on, and which are held out as *reworded*, *read* or *unseen*.

- *reworded*: the fact is in the training pairs, this wording of the question is not.
- *read*: the record's text is in the pretraining corpus, none of its pairs is trained on.
- *unseen*: neither. Other records may still speak of the same matter in words of their own.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tradewind.config import SplitConfig
from tradewind.errors import UserError
from tradewind.near_duplicates import normalise, shingles
from tradewind.sources.record import Documents, Pair, Record

Kind = Literal["reworded", "read", "unseen"]
KINDS: tuple[Kind, ...] = ("reworded", "read", "unseen")
_TELLING = 30  # characters of a sentence that says something of its own
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class Split:
    """Pairs by their use; every pair stands in exactly one list."""

    train: tuple[tuple[Record, Pair], ...]
    heldout: dict[Kind, tuple[tuple[Record, Pair], ...]]
    unseen_records: tuple[Record, ...]


def split_pairs(documents: Documents, config: SplitConfig, seed: int) -> Split:
    """Assign the pairs of each group of related records together, deterministically under `seed`.

    Records are related when they share a sentence, a term or a near-duplicate question. Shares are
    taken within each source and language, so that each kind holds questions of each source; only
    exam questions are never *read*.

    Raises:
        UserError: a kind that the recipe asks for has fewer questions than `split.min_items`.
    """
    chosen: dict[Kind | None, list[Record]] = defaultdict(list)
    for stratum, groups in sorted(_strata(_groups(documents)).items()):
        random.Random(f"{seed}:{stratum}").shuffle(groups)
        unseen = round(len(groups) * config.unseen)
        # An exam question has no text of its own that could be read without reading the question.
        read = 0 if stratum.startswith("exam:") else round(len(groups) * config.read)
        for index, group in enumerate(groups):
            kind: Kind | None = "unseen" if index < unseen else "read" if index < unseen + read else None
            chosen[kind] += group
    train, reworded = _hold_out_wordings(chosen[None], config.reworded, seed)
    heldout: dict[Kind, tuple[tuple[Record, Pair], ...]] = {
        "reworded": tuple(reworded),
        "read": tuple((record, pair) for record in chosen["read"] for pair in record.pairs),
        "unseen": tuple((record, pair) for record in chosen["unseen"] for pair in record.pairs),
    }
    _check(train, heldout, config)
    return Split(tuple(train), heldout, tuple(chosen["unseen"]))


def corpus(documents: Documents, split: Split) -> list[str]:
    """The running texts that adaptation may read: all but what the *unseen* records say.

    The other records' texts stay whole: one that holds a sentence of an unseen record is unseen
    with it (`_groups`). Raw transcripts repeat what their records say, word for word or nearly so:
    of them every sentence goes of which four fifths (by character 5-grams) stand in one unseen text.
    """
    secrets: dict[str, list[int]] = defaultdict(list)
    for index, record in enumerate(split.unseen_records):
        for gram in shingles(record.text):
            secrets[gram].append(index)
    hidden = {record.record_id for record in split.unseen_records}
    texts = [record.text for record in documents.records if record.record_id not in hidden]
    for passage in documents.passages:
        sentences = [part for part in _SENTENCE_END.split(passage.text) if not _is_told(part, secrets)]
        texts.append(" ".join(sentences))
    return list({normalise(text): text for text in reversed(texts) if text}.values())[::-1]


def _is_told(sentence: str, secrets: dict[str, list[int]]) -> bool:
    grams = shingles(sentence)
    shared = Counter(index for gram in grams for index in secrets.get(gram, ()))
    return bool(shared) and max(shared.values()) >= 0.8 * len(grams)


def _groups(documents: Documents) -> list[list[Record]]:
    """Records that belong together, joined by union-find over `related` ids and shared sentences."""
    root = {record.record_id: record.record_id for record in documents.records}

    def find(record_id: str) -> str:
        while root[record_id] != record_id:
            root[record_id] = record_id = root[root[record_id]]
        return record_id

    first_with: dict[str, str] = {}
    for record in documents.records:
        for key in _sentences(record):
            root[find(record.record_id)] = find(first_with.setdefault(key, record.record_id))
    for one, other in documents.related:
        root[find(one)] = find(other)
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in documents.records:
        groups[find(record.record_id)].append(record)
    return list(groups.values())


def _sentences(record: Record) -> set[str]:
    """The record's text and its longer sentences, normalised; short ones ("That is all.") tie nothing."""
    parts = [normalise(part) for part in _SENTENCE_END.split(record.text)]
    return {normalise(record.text)} | {part for part in parts if len(part) >= _TELLING}


def _strata(groups: list[list[Record]]) -> dict[str, list[list[Record]]]:
    strata: dict[str, list[list[Record]]] = defaultdict(list)
    for group in groups:
        strata[_stratum(group[0])].append(group)
    return strata


def _stratum(record: Record) -> str:
    return f"{record.source}:{record.language}"


def _hold_out_wordings(
    records: Sequence[Record], share: float, seed: int
) -> tuple[list[tuple[Record, Pair]], list[tuple[Record, Pair]]]:
    """Training pairs, and one wording each of a share of the facts that have several."""
    facts: dict[str, list[tuple[Record, Pair]]] = defaultdict(list)
    for record in records:
        for pair in record.pairs:
            facts[pair.fact_id].append((record, pair))
    strata: dict[str, list[str]] = defaultdict(list)
    for fact_id, wordings in facts.items():
        if len(wordings) > 1:
            strata[_stratum(wordings[0][0])].append(fact_id)
    held: set[str] = set()
    for stratum, fact_ids in sorted(strata.items()):
        rng = random.Random(f"{seed}:reworded:{stratum}")
        for fact_id in rng.sample(fact_ids, round(len(fact_ids) * share)):
            held.add(rng.choice(facts[fact_id])[1].pair_id)
    every = [item for wordings in facts.values() for item in wordings]
    return [item for item in every if item[1].pair_id not in held], [item for item in every if item[1].pair_id in held]


def _check(train: Sequence[object], heldout: dict[Kind, tuple[tuple[Record, Pair], ...]], config: SplitConfig) -> None:
    if not train:
        raise UserError("split: no pair is left to train on; lower split.read and split.unseen")
    for kind in KINDS:
        share, n = getattr(config, kind), len(heldout[kind])
        if share > 0 and n < config.min_items:
            raise UserError(
                f"split.{kind}: {share} of these documents gives {n} held-out questions, too few for an interval "
                f"(split.min_items is {config.min_items}); raise the share, add documents, or set it to 0"
            )
        if share > 0 and len({record.record_id for record, _ in heldout[kind]}) < 2:
            raise UserError(
                f"split.{kind}: all {n} held-out questions come from one record, too few for an interval; "
                f"raise the share, add documents, or set it to 0"
            )
