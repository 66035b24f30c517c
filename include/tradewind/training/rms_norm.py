"""Gemma's RMSNorm as one operation: what transformers computes, in fewer passes over memory.

`y = x / sqrt(mean(x²) + eps) · (1 + w)` (Zhang & Sennrich, arXiv 1910.07467, equation 4, with Gemma's 1 + w). Kept for
the way back are `x`, which the layer keeps anyway, and one number a token.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm

from tradewind.training.replaced_forward import replaced_forward


def one_norm_operation(model: nn.Module) -> AbstractContextManager[int]:
    """While it lasts, Gemma's frozen norms of `model` are computed so; says how many."""
    norms = [module for module in model.modules() if isinstance(module, Gemma2RMSNorm)]
    return replaced_forward([norm for norm in norms if not norm.weight.requires_grad], _forward)


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
