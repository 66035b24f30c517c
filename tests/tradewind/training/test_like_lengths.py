"""Groups hold each example once, and pad no more than is worth it."""

from __future__ import annotations

import pytest
import torch

from tradewind.training.like_lengths import WORTH_A_GROUP, like_lengths


def _positions(lengths: list[int]) -> torch.Tensor:
    return torch.cat([torch.arange(length) for length in lengths])


@pytest.mark.parametrize(
    "lengths", [[1], [5, 5, 5], [3, 900, 40, 41, 7], list(range(1, 60)), [300, 10, 290, 20]], ids=str
)
def test_each_token_stands_in_one_place(lengths: list[int]) -> None:
    groups = like_lengths(_positions(lengths))
    assert sorted(length for group in groups for length in group.lengths) == sorted(lengths)
    real = torch.cat([group.real for group in groups])
    assert torch.equal(real.sort().values, torch.arange(sum(lengths)))
    for group in groups:
        assert torch.equal(group.tokens[group.kept], group.real)
        assert group.tokens.shape == (len(group.lengths) * group.width,)
        assert len(group.padding) == len(group.tokens) - len(group.kept)
        padding = sum(group.width**2 - length**2 for length in group.lengths)
        assert padding <= WORTH_A_GROUP


def test_like_lengths_share_a_group_and_a_long_example_has_its_own() -> None:
    groups = like_lengths(_positions([60, 900, 61, 59, 58]))
    assert [group.lengths for group in groups] == [(900,), (61, 60, 59, 58)]
    assert groups[0].only == slice(60, 960)
    assert groups[1].only is None
