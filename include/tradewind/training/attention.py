"""Which attention a model is loaded with."""

from __future__ import annotations

import torch
from transformers.utils import is_flash_attn_2_available

from tradewind.config import ModelConfig


def choose_attention(config: ModelConfig) -> tuple[str, str]:
    """The implementation's name as transformers calls it, and why.

    Gemma-2 caps its attention's scores: `sdpa` cannot, FlashAttention can; `eager` does it everywhere.
    """
    if config.attn_implementation != "auto":
        return config.attn_implementation, "the recipe says so"
    if not torch.cuda.is_available():
        return "eager", "no GPU is seen"
    if config.dtype == "float32":
        return "eager", "FlashAttention computes in half precision only, and model.dtype is float32"
    if not is_flash_attn_2_available():
        return "eager", "the package flash-attn is not installed"
    return "flash_attention_2", "it is installed, and the weights are in half precision"
