"""How a plan says that a model computes, while it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from peft import PeftModel
from transformers import PreTrainedModel

from tradewind.training.compiled_layers import compiled_layers
from tradewind.training.frozen_weights import in_bfloat16
from tradewind.training.lora_linear import one_lora_operation
from tradewind.training.plan import Plan
from tradewind.training.rms_norm import one_norm_operation
from tradewind.training.row_attention import row_attention


@contextmanager
def computing(model: PreTrainedModel | PeftModel, plan: Plan) -> Iterator[None]:
    """While it lasts, `model` computes as the plan says; afterwards it is as it was, but for what it learnt."""
    with ExitStack() as ways:
        if plan.torch_compile:  # a layer's operations are merged anyway then, and better than by hand
            ways.enter_context(compiled_layers(model))
        elif not plan.sharded:  # whose weights are put together by the modules' own way through
            ways.enter_context(one_lora_operation(model))
            ways.enter_context(one_norm_operation(model))
        if plan.row_attention:
            ways.enter_context(row_attention(model))
        if plan.narrows_frozen_weights:
            ways.enter_context(in_bfloat16(model))
        yield
