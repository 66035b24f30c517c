"""An example in a shared row gets what it gets alone: its output, and the gradients of what it read."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.models.gemma2.modeling_gemma2 import eager_attention_forward

from tradewind.config import ModelConfig
from tradewind.models import locate
from tradewind.training.load import load_model
from tradewind.training.row_attention import NAME, attend, row_attention

HEADS, KEY_HEADS, SIZE = 6, 2, 8
ROWS = [[9], [5, 5], [3, 120, 7, 8, 1], [40, 130, 41, 250]]


class _Module(nn.Module):
    head_dim, num_key_value_groups = SIZE, HEADS // KEY_HEADS


def _given(length: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    shapes = [(1, heads, length, SIZE) for heads in (HEADS, KEY_HEADS, KEY_HEADS)]
    return [(3 * torch.randn(shape, generator=generator)).requires_grad_() for shape in shapes]


def _alone(parts: list[Tensor], lengths: list[int], window: int | None, **settings: Any) -> Tensor:
    found, start = [], 0
    for length in lengths:
        mine = [part[:, :, start : start + length] for part in parts]
        step = torch.arange(length)
        unseen = step[None] > step[:, None]
        if window is not None:
            unseen |= step[None] <= step[:, None] - window
        mask = torch.zeros(length, length).masked_fill(unseen, -torch.inf)[None, None]
        found.append(eager_attention_forward(_Module(), *mine, mask, **settings)[0])
        start += length
    return torch.cat(found, dim=1)


def _gradients(found: Tensor, parts: list[Tensor]) -> list[Tensor]:
    weight = torch.linspace(-1, 1, found.numel()).view_as(found)
    return list(torch.autograd.grad((found * weight).sum(), parts))


@pytest.mark.parametrize("lengths", ROWS, ids=str)
@pytest.mark.parametrize("softcap", [None, 5.0], ids=["no cap", "cap"])
@pytest.mark.parametrize("window", [None, 4, 100], ids=["no window", "window of 4", "of 100"])
def test_each_example_is_computed_as_alone(lengths: list[int], softcap: float | None, window: int | None) -> None:
    parts = _given(sum(lengths))
    positions = torch.cat([torch.arange(length) for length in lengths])[None]
    settings = {"scaling": 0.3, "softcap": softcap}
    expected = _alone(parts, lengths, window, **settings)
    found, _ = attend(
        _Module(), parts[0], parts[1], parts[2], None, position_ids=positions, sliding_window=window, **settings
    )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    for mine, theirs in zip(_gradients(found, parts), _gradients(expected, parts), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-5)


def test_under_autocast_it_differs_by_its_rounding_alone() -> None:
    lengths = [30, 31, 90]
    parts = _given(sum(lengths))
    positions = torch.cat([torch.arange(length) for length in lengths])[None]
    expected = _alone(parts, lengths, None, scaling=0.3, softcap=50.0)
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = attend(
            _Module(), parts[0], parts[1], parts[2], None, position_ids=positions, scaling=0.3, softcap=50.0
        )
    assert found.dtype == torch.bfloat16
    assert float((found - expected).norm() / expected.norm()) < 0.03
    for mine, theirs in zip(_gradients(found, parts), _gradients(expected, parts), strict=True):
        assert float((mine - theirs).norm() / theirs.norm()) < 0.03


@pytest.fixture
def model() -> PreTrainedModel:
    return load_model(locate("embedded:tiny-gemma2"), ModelConfig())


def test_the_model_has_its_own_attention_again_afterwards(model: PreTrainedModel) -> None:
    ids = torch.arange(5, 29)[None]
    positions = torch.cat([torch.arange(10), torch.arange(14)])[None]
    before = model(input_ids=ids, position_ids=positions, use_cache=False).logits
    with row_attention(model):
        assert model.config._attn_implementation == NAME
        within = model(input_ids=ids, position_ids=positions, use_cache=False).logits
    assert model.config._attn_implementation == "eager"
    with pytest.raises(ZeroDivisionError), row_attention(model):
        raise ZeroDivisionError
    assert model.config._attn_implementation == "eager"
    torch.testing.assert_close(within, before, rtol=1e-4, atol=1e-4)
    assert torch.equal(model(input_ids=ids, position_ids=positions, use_cache=False).logits, before)


def test_what_stands_before_an_example_does_not_reach_it(model: PreTrainedModel) -> None:
    positions = torch.cat([torch.arange(10), torch.arange(14)])[None]
    ids = torch.arange(5, 29)[None]
    other = ids.clone()
    other[:, :10] += 40
    with row_attention(model), torch.no_grad():
        one, two = (model(input_ids=row, position_ids=positions, use_cache=False).logits for row in (ids, other))
    assert not torch.equal(one[:, :10], two[:, :10])
    torch.testing.assert_close(one[:, 10:], two[:, 10:], rtol=0, atol=1e-5)
