"""float32 or bfloat16, by a measurement on the training's own rows."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from tradewind.config import TrainingConfig
from tradewind.training.backbone import causal_model, head, hidden_states
from tradewind.training.bfloat16 import has_bfloat16
from tradewind.training.four_bits import is_in_four_bits
from tradewind.training.frozen_weights import can_be_narrow, in_bfloat16
from tradewind.training.lora_linear import one_lora_operation

CLEARLY = 1.2  # times as fast: less is within what one measurement differs from the next
LARGE_STEP = 5e10
"""Floating-point operations of a step below which other things than arithmetic take its time: 0.3 s of two cores."""
WORTH_MEASURING = 30
"""Steps of a training below which a measurement, six steps of it, is not won back."""
_REPEATS = 2


def training_flops(model: PreTrainedModel, tokens: int) -> float:
    """Six times parameters times tokens (Kaplan et al., arXiv 2001.08361, section 2.1): forward and backward."""
    return 6.0 * float(model.num_parameters()) * tokens


def choose_bfloat16(
    model: PreTrainedModel | PeftModel,
    width: int,
    size: int,
    flops: float,
    config: TrainingConfig,
    *,
    device: torch.device | None = None,
) -> tuple[bool, str]:
    """Whether to compute in bfloat16, and why.

    Args:
        width: tokens of a typical row.
        size: examples computed at once.
        flops: of the whole training, by `training_flops`.
        device: that is to compute; None: the model's.
    """
    device = device or model.device
    if config.bf16 != "auto":
        return config.bf16, "the recipe says so"
    given, why = _given(model)
    if given != torch.float32 or is_in_four_bits(model):
        return given == torch.bfloat16, f"{why} {str(given).removeprefix('torch.')}"
    if not has_bfloat16(device):
        return False, f"this {'GPU' if device.type == 'cuda' else 'CPU'} has no bfloat16"
    step = training_flops(model, size * width)
    if step < LARGE_STEP:
        return False, "a step has too little arithmetic for it to matter"
    if flops < WORTH_MEASURING * step:
        return False, "the training is too short for a measurement to pay"
    return _measured(model, torch.full((size, width), 7, device=model.device), device)


def _given(model: PreTrainedModel | PeftModel) -> tuple[torch.dtype, str]:
    """What the weights already decide, and why."""
    if is_in_four_bits(model):
        found: torch.dtype = causal_model(model).config.quantization_config.bnb_4bit_compute_dtype
        return found, "weights in 4 bits are computed with in"
    return head(model).weight.dtype, "the weights are in"


def _measured(model: PreTrainedModel | PeftModel, ids: torch.Tensor, device: torch.device) -> tuple[bool, str]:
    if device.type != model.device.type:
        return True, "no GPU holds the whole model, to be measured with it"
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for repeat in range(_REPEATS + 1):
        for narrow in (False, True):
            taken = _step(model, ids, narrow=narrow)
            if repeat:  # the first warms up
                seconds[narrow].append(taken)
    ratio = min(seconds[False]) / min(seconds[True])
    return ratio >= CLEARLY, f"measured {ratio:.2f} times as fast as float32 on {ids.shape[0]} x {ids.shape[1]} tokens"


def _step(model: PreTrainedModel | PeftModel, ids: torch.Tensor, *, narrow: bool) -> float:
    with narrowed(model) if narrow else nullcontext(), one_lora_operation(model):
        _wait(ids.device)
        began = time.perf_counter()
        hidden_states(model, input_ids=ids, attention_mask=torch.ones_like(ids)).float().square().mean().backward()
        _wait(ids.device)
        taken = time.perf_counter() - began
    model.zero_grad(set_to_none=True)
    return taken


def narrowed(model: PreTrainedModel | PeftModel) -> AbstractContextManager[Any]:
    """While it lasts, `model` computes in bfloat16: by autocast, and on a CPU with frozen weights that are narrow."""
    both = ExitStack()
    if can_be_narrow(model):
        both.enter_context(in_bfloat16(model))
    both.enter_context(torch.autocast(model.device.type, torch.bfloat16))
    return both


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
