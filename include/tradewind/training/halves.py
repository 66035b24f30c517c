"""A batch in two, by its examples."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

Batch = dict[str, Any]


def halves(batch: Batch) -> tuple[Batch, Batch] | None:
    """The first and the second half of a batch's examples; None where there is only one.

    Args:
        batch: of TRL's collator: `input_ids` and `labels` of shape (examples, tokens), padded; or of shape
            (1, tokens), where the examples stand one after the other and `position_ids` begin anew with each.
    """
    if "position_ids" in batch and len(batch["input_ids"]) == 1:
        return _of_one_row(batch)
    count = len(batch["input_ids"])
    if count == 1:
        return None
    middle = count // 2
    return _rows(batch, slice(0, middle)), _rows(batch, slice(middle, count))


def _rows(batch: Batch, part: slice) -> Batch:
    # Each half is as wide as its own longest example; padding stands on the right.
    mask = batch.get("attention_mask")
    width = batch["input_ids"].shape[1] if mask is None else int(mask[part].sum(dim=1).max())
    return {name: value[part, :width] if isinstance(value, Tensor) else value for name, value in batch.items()}


def _of_one_row(batch: Batch) -> tuple[Batch, Batch] | None:
    begins = torch.nonzero(batch["position_ids"][0] == 0).flatten().tolist()
    if len(begins) < 2:
        return None
    length = batch["input_ids"].shape[1]
    cut = min(begins[1:], key=lambda begin: abs(begin - length / 2))
    return _stretch(batch, slice(0, cut)), _stretch(batch, slice(cut, length))


def _stretch(batch: Batch, part: slice) -> Batch:
    """A part of the one row, with the bounds that FlashAttention reads made anew."""
    length = batch["input_ids"].shape[1]
    found = {
        name: value[:, part]
        for name, value in batch.items()
        if isinstance(value, Tensor) and value.dim() == 2 and value.shape[1] == length
    }
    if "cu_seq_lens_q" in batch:
        begins = torch.nonzero(found["position_ids"][0] == 0).flatten()
        bounds = torch.cat([begins, begins.new_tensor([part.stop - part.start])]).to(batch["cu_seq_lens_q"].dtype)
        longest = int(bounds.diff().max())
        found |= {"cu_seq_lens_q": bounds, "cu_seq_lens_k": bounds, "max_length_q": longest, "max_length_k": longest}
    return found
