"""Gemma's norm as one operation gives transformers' own numbers and gradients, and leaves no trace."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm

from tradewind.training.rms_norm import one_norm_operation


def _norm() -> Gemma2RMSNorm:
    torch.manual_seed(3)
    norm = Gemma2RMSNorm(48)
    nn.init.normal_(norm.weight)
    return norm.requires_grad_(False)


def _found(norm: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    y = norm(x)
    (y.float() * torch.linspace(-1, 1, y.shape[-1])).sum().backward()
    assert x.grad is not None
    return y.detach(), x.grad


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)], ids=str)
def test_numbers_and_gradients_are_transformers(dtype: torch.dtype, tolerance: float, scale: float) -> None:
    norm, x = _norm(), (scale * torch.randn(2, 7, 48)).to(dtype)
    expected = _found(norm, x)
    with one_norm_operation(norm) as changed:
        found = _found(norm, x)
    assert changed == 1
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == theirs.dtype == dtype
        assert float((mine.float() - theirs.float()).norm() / theirs.float().norm()) < tolerance


def test_what_was_there_comes_back() -> None:
    norm = _norm()
    with one_norm_operation(norm):
        assert "forward" in vars(norm)
    assert "forward" not in vars(norm)
    with pytest.raises(ZeroDivisionError), one_norm_operation(norm):
        raise ZeroDivisionError
    assert "forward" not in vars(norm)


def test_a_norm_that_learns_keeps_transformers_way() -> None:
    with one_norm_operation(_norm().requires_grad_(True)) as changed:
        assert changed == 0
