"""How much memory a training's examples take, measured on one, and how much is free."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from tradewind.training import host_memory
from tradewind.training.answer_cross_entropy import PART
from tradewind.training.backbone import hidden_states


def kept_for_backward(model: PreTrainedModel, length: int) -> int:
    """Bytes that one example of `length` tokens keeps for the way back, by a forward pass of one.

    What several operations keep alike counts once; weights do not count. The logits' share is a bound: they are
    computed a part at a time.
    """
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    seen: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids = torch.zeros((1, length), dtype=torch.long, device=model.device)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda kept: kept):
        found = hidden_states(model, input_ids=ids, attention_mask=torch.ones_like(ids))
    del found  # until here, or a later tensor would take an earlier one's address
    return sum(seen.values())


def logits_bytes(vocabulary: int) -> int:
    """Of one part of the logits, with its gradient and odds, in float32."""
    return 3 * 4 * max(PART, vocabulary)


def free_bytes(device: torch.device) -> int:
    """What this process may still take on its device: of a GPU's memory, or of the machine's and its container's."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return host_memory.free_bytes()
