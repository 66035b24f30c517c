"""A rounded row is the row, and an example beside it that teaches nothing."""

from __future__ import annotations

import pytest
import torch

from tradewind.training.rounded_row import MULTIPLE, rounded
from tradewind.training.tokens import IGNORED


def _row(length: int) -> dict[str, torch.Tensor]:
    positions = torch.arange(length)[None]
    return {"input_ids": positions + 5, "labels": positions + 5, "position_ids": positions}


@pytest.mark.parametrize("length", [1, MULTIPLE - 1, MULTIPLE + 1, 5 * MULTIPLE - 7])
def test_it_ends_in_an_example_of_padding(length: int) -> None:
    row, found = _row(length), rounded(_row(length))
    more = found["input_ids"].shape[1] - length
    assert found["input_ids"].shape[1] % MULTIPLE == 0
    assert 0 < more < MULTIPLE
    for name, value in row.items():
        assert torch.equal(found[name][:, :length], value)
        assert found[name].shape == found["input_ids"].shape
    assert found["labels"][0, length:].tolist() == [IGNORED] * more
    assert found["position_ids"][0, length:].tolist() == list(range(more))


def test_a_row_that_is_round_is_left() -> None:
    row = _row(2 * MULTIPLE)
    assert rounded(row) is row
