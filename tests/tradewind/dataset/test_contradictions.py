"""Contradictory pairs: one question, different answers."""

from __future__ import annotations

import random
from collections import defaultdict

from tradewind.dataset.contradictions import Contradictions
from tradewind.text_keys import text_key


def _groups(pairs: list[tuple[str, str]]) -> list[tuple[int, ...]]:
    found = Contradictions()
    for question, answer in pairs:
        found.add(text_key(question), text_key(answer))
    return list(found.groups())


def test_two_documents_that_define_one_term_differently_are_told_with_their_places() -> None:
    pairs = [
        ("What is FOB?", "Free on board."),
        ("What is CIF?", "Cost, insurance, freight."),
        ("what is  fob", "A fob of a watch."),
        ("What is FOB?", "free on board"),
    ]
    assert _groups(pairs) == [(0, 2, 3)]


def test_the_same_answer_twice_is_no_contradiction() -> None:
    assert _groups([("What is FOB?", "Free on board."), ("What is FOB?", "FREE ON BOARD")]) == []


def test_exam_questions_with_other_options_are_other_questions() -> None:
    assert _groups([("Which is right? 1. FOB 2. CIF", "1. FOB"), ("Which is right? 1. DDP 2. CIF", "1. DDP")]) == []


def test_questions_of_signs_alone_are_not_mistaken_for_each_other() -> None:
    assert _groups([("???", "One."), ("!!!", "Two.")]) == []


def test_without_pairs_there_is_nothing_to_contradict() -> None:
    assert _groups([]) == []


def test_what_is_found_is_what_a_plain_search_finds() -> None:
    rng = random.Random(1)
    pairs = [(f"question {rng.randrange(300)}", f"answer {rng.randrange(2)}") for _ in range(600)]
    by_question: dict[str, list[int]] = defaultdict(list)
    for place, (question, _) in enumerate(pairs):
        by_question[question].append(place)
    plain = [tuple(places) for places in by_question.values() if len({pairs[place][1] for place in places}) > 1]
    assert len(plain) > 50
    assert _groups(pairs) == plain
