"""Gemma's RMSNorm as one operation: what transformers computes, in fewer passes over memory.

`y = x / sqrt(mean(x²) + eps) · (1 + w)` (Zhang & Sennrich, arXiv 1910.07467, equation 4, with Gemma's 1 + w). Kept for
the way back are `x`, which the layer keeps anyway, and one number a token.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm


@contextmanager
def one_norm_operation(model: nn.Module) -> Iterator[int]:
    """While it lasts, Gemma's frozen norms of `model` are computed so; says how many."""
    changed = [
        module for module in model.modules() if isinstance(module, Gemma2RMSNorm) and not module.weight.requires_grad
    ]
    for module in changed:
        module.forward = partial(_forward, module)
    try:
        yield len(changed)
    finally:
        for module in changed:
            del module.forward  # the class's own shows again


def _forward(module: Gemma2RMSNorm, x: Tensor) -> Tensor:
    found: Tensor = _Norm.apply(x, module.weight, module.eps)
    return found


class _Norm(torch.autograd.Function):
    """In float32, as transformers computes it whatever autocast says."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide, more = x.float(), weight.float() + 1.0
        inverse = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, more, inverse)
        return (wide * inverse).mul_(more).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        x, more, inverse = ctx.saved_tensors
        wide = x.float()
        through = gradients[0].float() * more
        shared = torch.linalg.vecdot(through, wide).unsqueeze(-1).mul_(inverse.square()).div_(-x.shape[-1])
        return through.addcmul_(wide, shared).mul_(inverse).to(x.dtype), None, None
