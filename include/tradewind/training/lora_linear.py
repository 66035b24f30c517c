"""A LoRA layer as one operation: what PEFT computes, in fewer passes over memory.

`y = x Wᵀ + (x Aᵀ) Bᵀ · s` (Hu et al., arXiv 2106.09685, equation 3). PEFT makes it of a dropout, casts, two layers, a
product and a sum, each of which writes its whole result and keeps it for the way back. Here the scale goes to the
narrow side and the sum into the product; W needs no gradient, so only `x` and `x Aᵀ` are kept.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLayer
from torch import Tensor, nn

from tradewind.training.replaced_forward import replaced_forward


def one_lora_operation(model: nn.Module) -> AbstractContextManager[int]:
    """While it lasts, plain LoRA layers of `model` are computed so; says how many.

    A layer with dropout, a variant of LoRA, several adapters or a quantised base keeps PEFT's own way.
    """
    layers = [module for module in model.modules() if isinstance(module, LoraLayer) and _is_plain(module)]
    return replaced_forward(layers, _forward)


def _is_plain(module: LoraLayer) -> bool:
    adapters = module.active_adapters
    if len(adapters) != 1 or module.merged or module.disable_adapters or adapters[0] in module.lora_variant:
        return False
    name = adapters[0]
    base, dropout = module.get_base_layer(), module.lora_dropout[name]
    return (
        type(base) is nn.Linear
        and not base.weight.requires_grad
        and (base.bias is None or not base.bias.requires_grad)
        and module.lora_A[name].bias is None
        and module.lora_B[name].bias is None
        and (isinstance(dropout, nn.Identity) or getattr(dropout, "p", 1.0) == 0.0)
    )


def _forward(module: LoraLayer, x: Tensor) -> Tensor:
    name = module.active_adapters[0]
    base = module.get_base_layer()
    down, up = module.lora_A[name].weight, module.lora_B[name].weight
    found: Tensor = _LoraProduct.apply(x, base.weight, base.bias, down, up, float(module.scaling[name]))
    return found


class _LoraProduct(torch.autograd.Function):
    """In the dtype of W, as autocast would have it where W is narrower than the rest."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float
    ) -> Tensor:
        rows = x.reshape(-1, x.shape[-1]).to(weight.dtype)
        narrow_down, narrow_up = down.to(weight.dtype), up.to(weight.dtype)
        within = torch.mm(rows, narrow_down.T).mul_(scale)
        y = torch.mm(rows, weight.T) if bias is None else torch.addmm(bias, rows, weight.T)
        y.addmm_(within, narrow_up.T)
        ctx.save_for_backward(rows, weight, narrow_down, narrow_up, within)
        ctx.scale, ctx.shape, ctx.dtypes = scale, x.shape, (x.dtype, down.dtype, up.dtype)
        return y.view(*x.shape[:-1], y.shape[-1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight, down, up, within = ctx.saved_tensors
        of_x, of_down, of_up = ctx.dtypes
        gradient = gradients[0].reshape(-1, weight.shape[0]).to(weight.dtype)
        through = torch.mm(gradient, up).mul_(ctx.scale)
        to_up = torch.mm(gradient.T, within).to(of_up)
        to_down = torch.mm(through.T, rows).to(of_down)
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = torch.mm(gradient, weight).addmm_(through, down).view(ctx.shape).to(of_x)
        return to_x, None, None, to_down, to_up, None
