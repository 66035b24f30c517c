from __future__ import annotations

import torch
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from tradewind.training.halves import halves

ROWS = [
    {"input_ids": list(range(10 * n, 10 * n + n)), "labels": [-100, *range(10 * n + 1, 10 * n + n)]}
    for n in (6, 5, 2, 1)
]


def test_padded_examples_stand_in_halves_as_wide_as_their_own_longest() -> None:
    collate = DataCollatorForLanguageModeling(pad_token_id=0)
    found = halves(collate(ROWS))
    assert found is not None
    for half, rows in zip(found, (ROWS[:2], ROWS[2:]), strict=True):
        for name, value in collate(rows).items():
            assert torch.equal(half[name], value), name


def test_one_example_has_no_halves() -> None:
    assert halves(DataCollatorForLanguageModeling(pad_token_id=0)(ROWS[:1])) is None
    assert halves(DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)(ROWS[:1])) is None


def test_examples_in_one_row_are_cut_between_examples_with_bounds_of_their_own() -> None:
    collate = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)
    found = halves(collate(ROWS))
    assert found is not None
    for half, rows in zip(found, (ROWS[:1], ROWS[1:]), strict=True):
        expected = collate(rows)
        for name in ("input_ids", "labels", "position_ids", "cu_seq_lens_q", "cu_seq_lens_k"):
            assert torch.equal(half[name], expected[name]), name
        assert (half["max_length_q"], half["max_length_k"]) == (expected["max_length_q"], expected["max_length_k"])
