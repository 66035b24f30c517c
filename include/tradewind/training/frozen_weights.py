"""Frozen weights in bfloat16 while adapters are trained: half the memory to read, and a CPU's matrix units."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from peft import PeftModel
from peft.tuners.lora import Linear as LoraLayer
from torch import nn
from transformers import PreTrainedModel

from tradewind.training.four_bits import is_in_four_bits


def can_be_narrow(model: PreTrainedModel | PeftModel) -> bool:
    """Whether a training in bfloat16 narrows frozen weights: with adapters, on a CPU; on a GPU autocast is enough.

    Weights in 4 bits are narrower already.
    """
    return isinstance(model, PeftModel) and model.device.type == "cpu" and not is_in_four_bits(model)


@contextmanager
def in_bfloat16(model: nn.Module) -> Iterator[int]:
    """While it lasts, the frozen weight below each LoRA layer is in bfloat16; says how many.

    Autocast makes the same numbers of them anew at each step. What was there comes back bit for bit: what is saved is
    merged in full precision.
    """
    layers = [module.get_base_layer() for module in model.modules() if isinstance(module, LoraLayer)]
    wide = [
        (layer.weight, layer.weight.data)
        for layer in layers
        if type(layer) is nn.Linear and not layer.weight.requires_grad and layer.weight.dtype == torch.float32
    ]
    for weight, data in wide:
        weight.data = data.to(torch.bfloat16)
    try:
        yield len(wide)
    finally:
        for weight, data in wide:
            weight.data = data
