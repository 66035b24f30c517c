"""What the card's numbers are gathered in: counters and samples that do not grow with the rows."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import pytest

from prepared_rows import row
from tradewind.reporting.dataset_facts import MOST_REASONS, DatasetFacts
from tradewind.reporting.sampling import Reservoir
from tradewind.sources.record import reason_kind


def test_a_reservoir_keeps_no_more_than_its_size_and_counts_all() -> None:
    sample = Reservoir[int](10, "seed")
    for number in range(100_000):
        sample.offer(number)
    assert len(sample.items) == len(set(sample.items)) == 10
    assert sample.offered == 100_000


def test_a_reservoir_smaller_than_its_size_keeps_everything() -> None:
    sample = Reservoir[int](10, "seed")
    for number in range(4):
        sample.offer(number)
    assert sample.items == [0, 1, 2, 3]


def test_every_item_of_a_stream_has_the_same_chance() -> None:
    drawn: Counter[int] = Counter()
    for seed in range(4000):
        sample = Reservoir[int](5, str(seed))
        for number in range(20):
            sample.offer(number)
        drawn.update(sample.items)
    # 1000 expected of each; the standard deviation is sqrt(4000 * 1/4 * 3/4) = 27.4: five of them.
    assert all(abs(drawn[number] - 1000) < 137 for number in range(20))


def test_a_seed_draws_the_same_and_another_draws_otherwise() -> None:
    def drawn(seed: str) -> list[int]:
        sample = Reservoir[int](10, seed)
        for number in range(1000):
            sample.offer(number)
        return sample.items

    assert drawn("1") == drawn("1")
    assert drawn("1") != drawn("2")


def test_what_is_kept_does_not_grow_with_the_rows() -> None:
    facts = DatasetFacts(seed=1)

    def take_in(first: int, rows: int) -> int:
        for number in range(first, first + rows):
            facts.add_pair("train", row(f"{number:06}", 1, f"What is thing {number:06}?", "An answer."))
            facts.add_rejected({"file": "f", "place": str(number), "reason": f"no '{number}' {number}", "excerpt": "x"})
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        early = take_in(0, 1_000)
        late = take_in(1_000, 20_000)
    finally:
        tracemalloc.stop()
    assert facts.uses["train"] == 21_000
    assert late - early < 20_000


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("no term", "no term"),
        ("the answer '7' is none of the 4 options", "the answer '…' is none of the n options"),
        ("broken JSON at column 512: Expecting value", "broken JSON at column n: Expecting value"),
        ("near-duplicate question of term data/terms, 2.json#3/1", "near-duplicate question"),
        ("near-duplicate question of a.json#3/1, with another answer", "near-duplicate question, with another answer"),
        (
            "answer of 5,123 characters, more than data.quality.max_answer (4000)",
            "answer of n characters, more than data.quality.max_answer (n)",
        ),
    ],
)
def test_reasons_that_differ_in_names_and_numbers_are_one_kind(reason: str, kind: str) -> None:
    assert reason_kind(reason) == kind


def test_reasons_beyond_the_most_are_counted_together() -> None:
    facts = DatasetFacts(seed=1)
    for number in range(500):
        reason = "".join("abcdefghij"[int(digit)] for digit in str(number))
        facts.add_rejected({"file": "f", "place": "p", "reason": reason, "excerpt": "x"})
    assert len(facts.reasons) == MOST_REASONS + 1
    assert facts.reasons["other reasons"].offered == 500 - MOST_REASONS


def test_lengths_are_those_of_the_texts() -> None:
    facts = DatasetFacts(seed=1)
    for length in range(1, 101):
        facts.add_pair("train", row("r", length, "x" * length, "y" * 5, context=""))
    question, answer, context = facts.length_rows()
    assert (question.shortest, question.median, question.most, question.longest) == (1, 50, 95, 100)
    assert (answer.shortest, answer.median, answer.most, answer.longest) == (5, 5, 5, 5)
    assert context.longest == 0
