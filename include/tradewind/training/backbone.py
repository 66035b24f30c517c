"""A causal language model's parts, below the adapters that may stand around it."""

from __future__ import annotations

from typing import Any

from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel


def causal_model(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """The language model itself; LoRA's layers are inside of it."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def hidden_states(model: PreTrainedModel | PeftModel, **inputs: Any) -> Any:
    """What the head reads, shape (rows, tokens, dimensions): everything but the logits."""
    return causal_model(model).base_model(**inputs, use_cache=False).last_hidden_state


def head(model: PreTrainedModel | PeftModel) -> nn.Linear:
    """The layer that makes logits of it."""
    found: nn.Linear = causal_model(model).get_output_embeddings()
    return found
