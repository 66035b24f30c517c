"""The pairs by which trials are compared."""

from __future__ import annotations

from typing import Any

import pytest

from prepared_rows import row
from tradewind.config import SweepConfig
from tradewind.errors import UserError
from tradewind.sweep.validation import hold_out


def _pairs(facts: int, wordings: int, name: str = "A") -> list[dict[str, Any]]:
    return [
        row(f"{name}{fact}", wording, f"What is {name}{fact}, wording {wording}?", "It is.")
        for fact in range(facts)
        for wording in range(wordings)
    ]


def test_nothing_is_lost_and_nothing_stands_on_both_sides() -> None:
    pairs = _pairs(100, 2)
    trained, held = hold_out(pairs, SweepConfig(), 42)
    assert len(held) == 20
    assert sorted(pair["id"] for pair in [*trained, *held]) == sorted(pair["id"] for pair in pairs)


def test_the_fact_of_what_is_held_out_stays_in_training_in_other_words() -> None:
    trained, held = hold_out(_pairs(20, 3) + _pairs(200, 1, "B"), SweepConfig(), 42)
    assert len(held) == 26
    assert {pair["fact_id"] for pair in held} <= {pair["fact_id"] for pair in trained}


def test_facts_of_one_wording_do_where_there_are_no_others() -> None:
    trained, held = hold_out(_pairs(3, 2) + _pairs(44, 1, "B"), SweepConfig(), 42)
    assert len(held) == 8
    known = {pair["fact_id"] for pair in trained}
    assert sum(pair["fact_id"] in known for pair in held) == 3


def test_who_is_drawn_goes_by_id_and_seed_not_by_place() -> None:
    pairs = _pairs(100, 2)
    _, held = hold_out(pairs, SweepConfig(), 42)
    _, turned = hold_out(pairs[::-1], SweepConfig(), 42)
    _, other = hold_out(pairs, SweepConfig(), 43)
    assert {pair["id"] for pair in held} == {pair["id"] for pair in turned} != {pair["id"] for pair in other}


def test_too_few_pairs_are_told() -> None:
    assert len(hold_out(_pairs(8, 2), SweepConfig(), 42)[1]) == 8
    with pytest.raises(UserError, match="15 training pairs are too few to compare trials by 8 of them"):
        hold_out(_pairs(15, 1), SweepConfig(), 42)
