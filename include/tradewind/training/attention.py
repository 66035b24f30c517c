"""Which attention a model is loaded with."""

from __future__ import annotations

import torch
from transformers.utils import is_flash_attn_2_available

from tradewind.config import ModelConfig


def choose_attention(config: ModelConfig, device: str | None = None) -> tuple[str, str]:
    """The implementation's name as transformers calls it, and why.

    Gemma-2 caps its attention's scores: `sdpa` cannot, FlashAttention can; `eager` does it everywhere.

    Args:
        device: that computes; None: a GPU where there is one.
    """
    if device == "cpu" or not torch.cuda.is_available():
        return _on_cpu(config)
    if config.attn_implementation != "auto":
        return config.attn_implementation, "the recipe says so"
    if config.dtype == "float32":
        return "eager", "FlashAttention computes in half precision only, and model.dtype is float32"
    if not is_flash_attn_2_available():
        return "eager", "the package flash-attn is not installed"
    return "flash_attention_2", "it is installed, and the weights are in half precision"


def _on_cpu(config: ModelConfig) -> tuple[str, str]:
    """FlashAttention is for GPUs only, also where the recipe wants it of a training on some."""
    if config.attn_implementation in ("eager", "sdpa"):
        return config.attn_implementation, "the recipe says so"
    if config.attn_implementation == "flash_attention_2" and not torch.cuda.is_available():
        return config.attn_implementation, "the recipe says so"  # and the load says why it cannot be
    return "eager", "no GPU is used" if torch.cuda.is_available() else "no GPU is seen"
