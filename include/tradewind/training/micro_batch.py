"""How many of a step's examples are computed at once."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PreTrainedModel

from tradewind.config import TrainingConfig
from tradewind.division import divisor, share_of_step
from tradewind.training.learning_memory import learning_bytes
from tradewind.training.memory import free_bytes, kept_for_backward, logits_bytes
from tradewind.training.out_of_memory import OUT_OF_MEMORY, free_memory, is_out_of_memory

_SHARE = 0.6  # of the free memory: beside what is kept stand a layer's own gradients and the allocator's gaps


@dataclass(frozen=True)
class MicroBatch:
    """What was chosen, and why."""

    size: int
    gradient_checkpointing: bool
    why: str


def choose_micro_batch(
    model: PreTrainedModel, longest: int, config: TrainingConfig, processes: int = 1, *, sharded: bool = False
) -> MicroBatch:
    """As many examples of `longest` tokens as free memory holds; they divide those of a process's share of a step.

    Args:
        processes: that share a step's examples evenly.
        sharded: the model does not fit one GPU, and can only be tried by all of them together.

    Raises:
        UserError: the processes do not divide the examples of a step, or a stated `micro_batch_size` not their shares.
    """
    step = share_of_step(config, processes)
    checkpointing = config.gradient_checkpointing is True
    if config.micro_batch_size != "auto":
        return MicroBatch(config.micro_batch_size, checkpointing, "the recipe says so")
    if checkpointing:  # what is kept then is little, and no forward pass without it may fit
        size = divisor(step, config.per_device_train_batch_size)
        return MicroBatch(size, True, "gradient checkpointing is on")
    if sharded:
        return MicroBatch(1, config.gradient_checkpointing == "auto", "the weights are shared out among the GPUs")
    alone = 1 if model.device.type == "cuda" else processes  # which share a machine's memory
    room = _SHARE * (free_bytes(model.device) / alone - learning_bytes(model, config))
    room -= logits_bytes(model.config.get_text_config().vocab_size)
    try:
        each = kept_for_backward(model, longest)
    except OUT_OF_MEMORY as error:
        if not is_out_of_memory(error):
            raise
        free_memory()
        each = int(max(room, 0)) + 1
    fitting = int(room // max(each, 1))
    measured = f"the longest, of {longest} tokens, keeps {each / 2**20:.0f} MiB of {max(room, 0) / 2**30:.1f} GiB"
    if fitting < 1 and config.gradient_checkpointing == "auto":
        return MicroBatch(1, True, f"{measured}: activations are computed twice")
    return MicroBatch(divisor(step, max(fitting, 1)), False, measured)
