"""A row's length rounded up, so that steps of many lengths are products of few shapes.

oneDNN, which multiplies matrices on a CPU, writes machine code for each shape it meets and keeps a thousand of them:
with a new length at each step a training spends much of its time on that.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from tradewind.training.halves import Batch
from tradewind.training.tokens import IGNORED

MULTIPLE = 64


def rounded(batch: Batch) -> Batch:
    """The batch with one more example, of padding that carries no loss, up to a multiple of `MULTIPLE` tokens.

    Args:
        batch: `input_ids`, `labels` and `position_ids` of shape (1, tokens), examples one after the other.
    """
    ids: Tensor = batch["input_ids"]
    more = -ids.shape[1] % MULTIPLE
    if not more:
        return batch
    positions = torch.arange(more, device=ids.device)[None]
    return {
        "input_ids": pad(ids, (0, more)),
        "labels": pad(batch["labels"], (0, more), value=IGNORED),
        "position_ids": torch.cat([batch["position_ids"], positions], dim=1),
    }
