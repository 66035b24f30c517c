"""Eager attention whose query heads share keys and values without a copy of them.

Where several query heads share a key head, transformers' eager attention repeats the whole cache for each of them,
in every layer and at every token. Here the queries of a key head stand in one matrix instead: the same products,
sums and rounding of the scores, and nothing is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask

NAME = "tradewind_grouped"


@contextmanager
def grouped_attention(model: PreTrainedModel) -> Iterator[None]:
    """Have an eager `model` compute its attention so; a model with another attention stays as it is."""
    before = model.config._attn_implementation  # noqa: SLF001 - there is no public way to read it
    if before != "eager":
        yield
        return
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, eager_mask)
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def attention(  # noqa: PLR0917 - the signature of transformers
    module: nn.Module,  # noqa: ARG001
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    softcap: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention for inference, with Gemma-2's soft cap.

    Args:
        query: of shape (rows, heads, tokens, size).
        key: of shape (rows, key heads, columns, size); `value` alike.
        attention_mask: of shape (rows, 1, tokens, columns), to be added to the scores.

    Returns:
        The output of shape (rows, tokens, heads, size).
    """
    rows, heads, tokens, size = query.shape
    shared = key.shape[1]
    group = heads // shared
    scores = torch.matmul(query.reshape(rows, shared, group * tokens, size), key.transpose(2, 3)).mul_(scaling)
    if softcap is not None:
        scores = scores.div_(softcap).tanh_().mul_(softcap)
    if attention_mask is not None:
        scores = scores.view(rows, shared, group, tokens, -1).add_(attention_mask[:, :, None])
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    found = torch.matmul(weights.view(rows, shared, group * tokens, -1), value)
    return found.view(rows, heads, tokens, size).transpose(1, 2).contiguous(), None
