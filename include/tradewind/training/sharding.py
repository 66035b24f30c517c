"""Whether a model's weights are shared out among the GPUs (FSDP), and whether the stack did what was asked of it."""

from __future__ import annotations

import logging
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from peft import PeftModel
from transformers import PreTrainedModel

from tradewind.config import TrainingConfig
from tradewind.errors import UserError
from tradewind.training.four_bits import is_in_four_bits
from tradewind.training.learning_memory import check_fits, learning_bytes
from tradewind.training.world import World

log = logging.getLogger("tradewind")
_SHARE = 0.8
"""Of a GPU's memory, for weights, gradients and the optimizer's state; activations take the rest."""


def choose_sharding(name: str, model: PreTrainedModel | PeftModel, config: TrainingConfig, world: World) -> bool:
    """Whether the processes share the weights out, as the recipe says or as one GPU's memory has no room for them."""
    if world.size == 1 or is_in_four_bits(model):
        return False
    if config.fsdp != "auto":
        return config.fsdp
    if world.device != "cuda":
        return False
    room = int(torch.cuda.get_device_properties(world.torch_device).total_memory * _SHARE)
    needed = training_bytes(model, config)
    sharded = needed > room
    log.info("%s: %s: weights, gradients and optimizer take %.1f of %.1f GiB", name,
             "weights shared out among the GPUs (FSDP)" if sharded else "the whole model on each GPU (DDP)",
             needed / 2**30, room / 2**30)  # fmt: skip
    return sharded


def training_bytes(model: PreTrainedModel | PeftModel, config: TrainingConfig) -> int:
    """What a training holds from its first step to its last, beside activations."""
    weights: int = sum(parameter.nbytes for parameter in model.parameters())
    return weights + learning_bytes(model, config)


def check_shares_fit(name: str, model: PreTrainedModel | PeftModel, config: TrainingConfig, world: World) -> None:
    """Fail before the first step where not even a process's share of it all has room.

    Raises:
        UserError: how much there is and how much is wanted.
    """
    if world.device != "cuda":
        check_fits(name, model, config)  # together they keep what one would
        return
    need = training_bytes(model, config) / world.size
    room = torch.cuda.get_device_properties(world.torch_device).total_memory
    if need > room:
        to_do = f"lower {name}.lora.r" if config.lora else f"set {name}.lora, which trains a small part of them"
        raise UserError(
            f"{name}: weights, gradients and the optimizer's state, shared out among {world.size} GPUs, take "
            f"{need / 2**30:.1f} GiB of each, which has {room / 2**30:.1f}; {to_do}, or take more GPUs"
        )


def check_world(accelerator: Accelerator, world: World, *, sharded: bool) -> None:
    """That accelerate distributes as it was asked to: it falls back in silence, each process then training alone.

    Raises:
        UserError: it does not.
    """
    if world.size == 1:
        return
    wanted = (
        DistributedType.FSDP
        if sharded
        else {"cuda": DistributedType.MULTI_GPU}.get(str(world.device), DistributedType.MULTI_CPU)
    )
    device = accelerator.device if accelerator.device.type == "cuda" else torch.device(accelerator.device.type)
    asked = (world.size, world.rank, wanted, world.torch_device)
    found = (accelerator.num_processes, accelerator.process_index, accelerator.distributed_type, device)
    if asked != found:
        raise UserError(
            f"asked for {_told(*asked)}, accelerate made {_told(*found)}: this accelerate does not suit; install the "
            "locked one"
        )


def _told(size: int, rank: int, kind: Any, device: torch.device) -> str:
    return f"process {rank} of {size} by {kind.value} on {device}"
