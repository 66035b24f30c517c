"""Whether an error says that memory did not suffice."""

from __future__ import annotations

import torch

_OF_A_CPU = "not enough memory: you tried to allocate"
"""The words of torch's allocator, whose error has no class of its own."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch may do without this error."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and _OF_A_CPU in str(error)
