"""How much memory a training's examples take, measured on one, and how much is free."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel

from tradewind.training.answer_cross_entropy import PART
from tradewind.training.backbone import hidden_states

_CGROUPS = (  # version 2, then 1: a container's limit and what it uses
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


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
    return _free_on_host()


def _free_on_host() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines() if Path("/proc/meminfo").exists() else []
    available = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 2**34)
    for limit, used in _CGROUPS:
        try:
            available = min(available, int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return max(available, 0)
