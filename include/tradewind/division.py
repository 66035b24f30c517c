"""How the examples of one step of the optimizer fall to the processes that train together, and to their batches."""

from __future__ import annotations

from tradewind.config import TrainingConfig
from tradewind.errors import UserError


def share_of_step(config: TrainingConfig, processes: int) -> int:
    """How many of a step's examples each process has.

    Raises:
        UserError: they cannot have equally many, or a stated `micro_batch_size` does not divide them.
    """
    step = config.per_device_train_batch_size * config.gradient_accumulation_steps
    if step % processes:
        raise UserError(
            f"{processes} processes cannot share the {step} examples of a step (per_device_train_batch_size x "
            f"gradient_accumulation_steps) evenly; take {divisor(step, processes)} GPUs, or change the step"
        )
    share, micro = step // processes, config.micro_batch_size
    if micro != "auto" and share % micro:
        among = "" if processes == 1 else f", shared by {processes} processes"
        raise UserError(
            f"micro_batch_size: {micro} does not divide the {share} examples of a step "
            f"(per_device_train_batch_size x gradient_accumulation_steps{among}); say {divisor(share, micro)}"
        )
    return share


def divisor(count: int, at_most: int) -> int:
    """The largest number that divides `count` and is no larger than `at_most`."""
    return next(size for size in range(min(count, at_most), 0, -1) if count % size == 0)
