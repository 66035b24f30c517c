"""Attention between tokens of the same example, where a step's examples stand in one row without padding.

FlashAttention computes so on a GPU. Elsewhere examples of like length are a product together, so that what is computed
grows with an example's own length, not with that of the longest beside it. Gemma-2 caps its scores, which torch's own
attention does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from tradewind.training.backbone import causal_model
from tradewind.training.like_lengths import Group, like_lengths

NAME = "tradewind_row"


@contextmanager
def row_attention(model: PreTrainedModel | PeftModel) -> Iterator[None]:
    """While it lasts, tokens of `model` see those of their own example; `position_ids` begin anew with each."""
    inner = causal_model(model)
    before = inner.config._attn_implementation  # noqa: SLF001 - where transformers keeps it
    inner.set_attn_implementation(NAME)
    try:
        yield
    finally:
        inner.set_attn_implementation(before)


def attend(
    module: nn.Module,  # noqa: ARG001 - the interface's, as what follows
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,  # noqa: ARG001 - a row has no padding
    *,
    position_ids: Tensor,
    scaling: float | None = None,
    softcap: float | None = None,
    sliding_window: int | None = None,
    **others: Any,  # noqa: ARG001
) -> tuple[Tensor, None]:
    """As transformers' attention functions: shape (1, heads, tokens, dimensions) to (1, tokens, heads, dimensions)."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    parts = [part[0].transpose(0, 1) for part in (query, key, value)]
    if torch.is_autocast_enabled(query.device.type):
        parts = [part.to(torch.get_autocast_dtype(query.device.type)) for part in parts]
    groups = like_lengths(position_ids[0])
    read: Tensor = _RowAttention.apply(*parts, groups, scale, softcap, sliding_window)
    return read[None], None


class _RowAttention(torch.autograd.Function):
    """softmax(cap(Q Kᵀ · scale) + mask) V of each example, shape (tokens, heads, dimensions); its derivative by hand.

    An example that is shorter than others of its group is padded on the right, where no earlier token looks.
    Several query heads that share a key's head are rows of one product.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        groups: list[Group],
        scale: float,
        softcap: float | None,
        window: int | None,
    ) -> Tensor:
        read = torch.empty(query.shape, dtype=query.dtype, device=query.device)
        kept: list[Tensor | None] = []
        for group in groups:
            rows, keys, values = (_padded(part, group, key.shape[1]) for part in (query, key, value))
            scores = torch.bmm(rows, keys.transpose(1, 2)).float()
            bent = None
            if softcap is None:
                scores.mul_(scale)
            else:
                bent = scores.mul_(scale / softcap).tanh_()
                scores = bent * softcap
            scores.view(-1, group.width, group.width).masked_fill_(_unseen(group.width, window, key.device), -torch.inf)
            odds = torch.softmax(scores, dim=-1)
            _put(torch.bmm(odds.to(values.dtype), values), group, read)
            kept += [bent, odds]
        ctx.save_for_backward(query, key, value, *kept)
        ctx.groups, ctx.scale = groups, scale
        return read

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, *kept = ctx.saved_tensors
        to_query, to_key, to_value = (torch.empty_like(part) for part in (query, key, value))
        for group, bent, odds in zip(ctx.groups, kept[::2], kept[1::2], strict=True):
            heads = key.shape[1]
            rows, keys, values = (_padded(part, group, heads) for part in (query, key, value))
            given = _padded(gradients[0], group, heads, zeros=True).to(values.dtype)
            _put(torch.bmm(odds.to(values.dtype).transpose(1, 2), given), group, to_value)
            to_scores = torch.bmm(given, values.transpose(1, 2)).float()
            to_scores = torch._softmax_backward_data(to_scores, odds, -1, torch.float32)  # noqa: SLF001
            if bent is not None:  # the derivative of the cap: 1 - tanh squared
                to_scores.addcmul_(to_scores, bent.square(), value=-1.0)
            narrow = to_scores.mul_(ctx.scale).to(rows.dtype)
            _put(torch.bmm(narrow, keys), group, to_query)
            _put(torch.bmm(narrow.transpose(1, 2), rows), group, to_key)
        return to_query, to_key, to_value, None, None, None, None


def _padded(part: Tensor, group: Group, heads: int, *, zeros: bool = False) -> Tensor:
    """Of shape (tokens, heads, dimensions), a group's tokens in shape (examples x key heads, rows, dimensions).

    In padding stand zeros where a product of it would be more than dropped, else whatever.
    """
    if group.only is not None:
        found = part[group.only]
    else:
        found = part[group.tokens]
        if zeros:
            found[group.padding] = 0
    found = found.view(len(group.lengths), group.width, heads, -1, part.shape[-1])
    return found.permute(0, 2, 3, 1, 4).reshape(len(group.lengths) * heads, -1, part.shape[-1])


def _put(found: Tensor, group: Group, into: Tensor) -> None:
    """The way back of `_padded`; what stands in padding is dropped."""
    heads, size = into.shape[1:]
    rows = found.view(len(group.lengths), heads, group.width, size).transpose(1, 2)
    if group.only is None:
        into[group.real] = rows.reshape(-1, heads, size)[group.kept]
    else:
        into[group.only] = rows[0]


def _unseen(length: int, window: int | None, device: torch.device) -> Tensor:
    """What a token does not see, shape (tokens, tokens): those after it, and those that its window has left."""
    unseen = torch.ones((length, length), dtype=torch.bool, device=device).triu_(1)
    if window is not None and window < length:
        unseen |= torch.ones_like(unseen).tril_(-window)
    return unseen


# Not compiled: how many examples there are differs from step to step.
AttentionInterface.register(NAME, torch.compiler.disable(attend))
