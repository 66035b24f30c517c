"""Weights that are shared out among processes (FSDP2): asked for, made sure of, and gone on with."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from accelerate.utils.constants import FSDP_MODEL_NAME
from torch import nn
from torch.distributed.fsdp import MixedPrecisionPolicy
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tradewind.errors import UserError
from tradewind.training.world import World

log = logging.getLogger("tradewind")


def fsdp_arguments() -> dict[str, Any]:
    """Of transformers' `TrainingArguments`: each decoder layer is put together when it is computed."""
    return {"fsdp": True, "fsdp_config": {"version": 2, "state_dict_type": "FULL_STATE_DICT"}}


def share_out(accelerator: Accelerator, arguments: TrainingArguments) -> None:
    """Have an accelerator that was made with `fsdp_arguments` share weights out on a CPU, too, and add in full width.

    torch shares weights out among processes without GPUs as well, by gloo; accelerate takes DDP there instead, and says
    nothing. In bfloat16 it would round, beside what layers compute, sums of gradients and the tokens' losses.
    """
    state = accelerator.state
    if accelerator.device.type == "cpu":
        state.fsdp_plugin = FullyShardedDataParallelPlugin(**arguments.fsdp_plugin_args)
        state.distributed_type = PartialState().distributed_type = DistributedType.FSDP
    if accelerator.mixed_precision == "bf16":
        state.fsdp_plugin.mixed_precision_policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32)


class VerifySharding(TrainerCallback):
    """Looks at the weights before the first step: whatever a library says, a process is to hold its share of them."""

    def __init__(self, world: World) -> None:
        self.world = world

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        **kwargs: object,
    ) -> None:
        """Called by the trainer once the model is wrapped; UserError for a weight that is whole in this process."""
        if model is None:
            raise TypeError("the trainer calls back without its model")
        held, total = held_bytes(model, self.world.size)
        log.info("each of %d processes holds %.1f of %.1f MiB of weights", self.world.size, held / 2**20, total / 2**20)


def held_bytes(model: nn.Module, processes: int) -> tuple[int, int]:
    """Of the weights of a model that is shared out, those that this process holds, and all.

    Raises:
        UserError: one of them is not shared out among so many processes.
    """
    held = total = 0
    for name, weight in model.named_parameters():
        if not _is_shared_out(weight, processes):
            raise UserError(
                f"fsdp: {name} is not shared out among the {processes} processes; install the locked accelerate, or "
                "set fsdp: false"
            )
        held += weight.to_local().nbytes
        total += weight.numel() * weight.element_size()
    return held, total


def _is_shared_out(weight: nn.Parameter, processes: int) -> bool:
    return (
        isinstance(weight, DTensor)
        and weight.device_mesh.size() == processes
        and all(placement.is_shard() for placement in weight.placements)
    )


def check_checkpoint(checkpoint: Path | None, *, sharded: bool) -> None:
    """That a training goes on as it began: what one with weights shared out keeps, another one cannot read.

    Raises:
        UserError: it does not.
    """
    if checkpoint is None:
        return
    was_sharded = (checkpoint / f"{FSDP_MODEL_NAME}.bin").exists()
    if was_sharded != sharded:
        began, now = ("shared out", "whole in each process") if was_sharded else ("whole in each process", "shared out")
        raise UserError(
            f"{checkpoint}: is of a training with weights {began}, and now they would be {now}; go on with as many "
            f"GPUs and fsdp: {str(was_sharded).lower()}, or remove {checkpoint.parent} to begin anew"
        )
