"""How many of a step's examples are computed at once."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PreTrainedModel

from tradewind.config import TrainingConfig
from tradewind.errors import UserError
from tradewind.training.memory import free_bytes, kept_for_backward, logits_bytes
from tradewind.training.out_of_memory import OUT_OF_MEMORY, free_memory, is_out_of_memory

_SHARE = 0.6  # of the free memory: beside what is kept stand gradients, the optimizer's state and the allocator's gaps


@dataclass(frozen=True)
class MicroBatch:
    """What was chosen, and why."""

    size: int
    gradient_checkpointing: bool
    why: str


def choose_micro_batch(model: PreTrainedModel, longest: int, config: TrainingConfig) -> MicroBatch:
    """As many examples of `longest` tokens as free memory holds; they divide those of a step.

    Raises:
        UserError: `micro_batch_size` is stated and does not divide them.
    """
    step = config.per_device_train_batch_size * config.gradient_accumulation_steps
    checkpointing = config.gradient_checkpointing is True
    if config.micro_batch_size != "auto":
        if step % config.micro_batch_size:
            raise UserError(
                f"micro_batch_size: {config.micro_batch_size} does not divide the {step} examples of a step "
                "(per_device_train_batch_size x gradient_accumulation_steps); "
                f"say {_divisor(step, config.micro_batch_size)}"
            )
        return MicroBatch(config.micro_batch_size, checkpointing, "the recipe says so")
    if checkpointing:  # what is kept then is little, and no forward pass without it may fit
        return MicroBatch(config.per_device_train_batch_size, True, "gradient checkpointing is on")
    room = _SHARE * free_bytes(model.device) - logits_bytes(model.config.get_text_config().vocab_size)
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
    return MicroBatch(_divisor(step, max(fitting, 1)), False, measured)


def _divisor(step: int, at_most: int) -> int:
    return next(size for size in range(min(step, at_most), 0, -1) if step % size == 0)
