"""Running out of memory, by whichever name a device calls it."""

from __future__ import annotations

import gc

import torch

OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError, RuntimeError)
"""What to catch; `is_out_of_memory` then tells whether it is."""
_ON_CPU = ("not enough memory", "can't allocate memory")  # c10's allocator on a CPU raises a plain RuntimeError


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error says that a device's memory, or the machine's, did not suffice."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _ON_CPU)


def free_memory() -> None:
    """Give back what the failed try still holds, so that a smaller one has room."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
