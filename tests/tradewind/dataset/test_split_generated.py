"""The split of documents made to cross: near-duplicate questions, quoted passages and repeated texts between records.

What is near is judged by an oracle of its own, over all pairs of questions.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from collected import read_documents
from documents import passage, write_files
from splitting import Sample, Split
from tradewind.config import DataConfig, RunConfig, SplitConfig
from tradewind.kinds import KINDS
from tradewind.stages.prepare import prepare

THRESHOLD = 0.9
SEEDS = range(10)
SYLLABLES = ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "pha", "gro")


def _sentence(rng: random.Random, words: int) -> str:
    text = " ".join("".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(words))
    return text[0].upper() + text[1:]


def _nearly(rng: random.Random, question: str) -> str:
    """Another spelling: case and punctuation, one letter more, or one word another."""
    words = question.rstrip("?").split()
    match rng.randrange(3):
        case 0:
            return question.upper() + " ?!"
        case 1:
            return question.rstrip("?") + "s?"
        case _:
            words[rng.randrange(len(words))] += "h"
            return " ".join(words) + "?"


def _documents(made: int) -> dict[str, Any]:
    rng = random.Random(made)
    asked: list[str] = []
    files: dict[str, Any] = {}
    terms = [{"term": _sentence(rng, 2), "description": _sentence(rng, 12) + "."} for _ in range(40)]
    terms += [{"term": term["term"] + "!", "description": _sentence(rng, 12) + "."} for term in rng.sample(terms, 4)]
    files["term_data/terms.json"] = terms
    files["term_data/repeated.json"] = rng.sample(terms, 5)
    for lecture in range(4):
        contexts, lines = [], ""
        for _ in range(12):
            context = ". ".join(_sentence(rng, 14) for _ in range(3)) + "."
            pairs = []
            for _ in range(rng.randint(1, 3)):
                answer = _sentence(rng, 5)
                for _ in range(rng.randint(1, 3)):
                    near = asked and rng.random() < 0.15
                    question = _nearly(rng, rng.choice(asked)) if near else _sentence(rng, 16) + "?"
                    asked.append(question)
                    pairs.append({"question": question, "answer": answer})
            contexts.append(context)
            lines += passage(context, pairs)
        files[f"transcript_data/lecture_{lecture}.txt"] = "\n\n".join(contexts)
        files[f"transcript_data/success/lecture_{lecture}.jsonl"] = lines
    open_questions = [f"Question: {_sentence(rng, 10)}? Answer: {_sentence(rng, 4)}" for _ in range(20)]
    open_questions += [f"Question: {_nearly(rng, question)} Answer: yes" for question in rng.sample(asked, 6)]
    files["exam_data/exam.json"] = {"fixed_text": " ".join(open_questions)}
    return files


@dataclass(frozen=True)
class Made:
    """A folder of generated documents, prepared, and split under every seed."""

    sample: Sample
    splits: list[Split]


@pytest.fixture(scope="module", params=range(5))
def made(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Made:
    folder = write_files(tmp_path_factory.mktemp("made"), _documents(request.param))
    split = SplitConfig(reworded=0.3, read=0.15, unseen=0.15)
    config = RunConfig(recipe="test", data_dir=str(folder), seed=SEEDS[0], split=split)
    work = tmp_path_factory.mktemp("work")
    prepared = prepare(config, work)
    sample = Sample(read_documents(folder, DataConfig()), prepared.catalogue, work)
    splits = [sample.split(split, seed) for seed in SEEDS]
    assert splits[0].decided.use_of.tolist() == prepared.split.use_of.tolist()
    return Made(sample, splits)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _grams(text: str) -> frozenset[str]:
    plain = _plain(text)
    return frozenset(plain[at : at + 5] for at in range(max(1, len(plain) - 4)))


def _near(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) / len(one | other) >= THRESHOLD


def _use(split: Split) -> dict[str, str]:
    """Record id to the use of its pairs; `known` stands for both training and reworded."""
    use = {record.record_id: "known" for record, _ in (*split.train, *split.heldout["reworded"])}
    for kind in ("read", "unseen"):
        use |= {record.record_id: kind for record, _ in split.heldout[kind]}
    return use


def test_no_held_out_question_is_nearly_a_trained_one(made: Made) -> None:
    grams = {pair.pair_id: _grams(pair.stem) for record in made.sample.read.records for pair in record.pairs}
    for split in made.splits:
        trained = [pair for _, pair in split.train]
        heldout = [pair for kind in KINDS for _, pair in split.heldout[kind]]
        crossing = [
            (one.stem, other.stem)
            for one, other in product(heldout, trained)
            if _near(grams[one.pair_id], grams[other.pair_id])
        ]
        assert not crossing


def test_records_that_ask_nearly_the_same_stay_together(made: Made) -> None:
    holders: dict[str, set[str]] = defaultdict(set)
    for record in made.sample.read.records:
        for pair in record.pairs:
            holders[_plain(pair.stem)].add(record.record_id)
    shared = [ids for ids in holders.values() if len(ids) > 1]
    assert len(shared) >= 5
    for split in made.splits:
        use = _use(split)
        for ids in (*shared, *made.sample.documents.related):
            assert len({use[record_id] for record_id in ids if record_id in use}) <= 1, ids


def test_records_of_read_and_unseen_questions_have_no_pair_in_training(made: Made) -> None:
    for split in made.splits:
        trained_records = {record.record_id for record, _ in split.train}
        trained_facts = {pair.fact_id for _, pair in split.train}
        for kind in ("read", "unseen"):
            assert not {record.record_id for record, _ in split.heldout[kind]} & trained_records
        assert {pair.fact_id for _, pair in split.heldout["reworded"]} <= trained_facts


def test_the_corpus_holds_every_sentence_but_those_of_unseen_records(made: Made) -> None:
    for split in made.splits:
        texts = " | ".join(_plain(text) for text in made.sample.corpus(split))
        hidden = {record.record_id for record in split.unseen_records}
        unseen, others = set[str](), set[str]()
        for record in made.sample.documents.records:
            (unseen if record.record_id in hidden else others).update(map(_plain, record.text.split(". ")))
        assert unseen
        assert not [sentence for sentence in unseen if sentence in texts]
        assert not [sentence for sentence in others - unseen if sentence not in texts]


def test_every_pair_that_was_read_is_used_once_or_rejected(made: Made) -> None:
    pair_ids = sorted(pair.pair_id for record in made.sample.read.records for pair in record.pairs)
    for split in made.splits:
        items = (*split.train, *(item for kind in KINDS for item in split.heldout[kind]))
        rejected = made.sample.dropped
        assert len(rejected) > 10
        assert sorted([pair.pair_id for _, pair in items] + rejected) == pair_ids
