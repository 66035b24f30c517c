from __future__ import annotations

import pytest
import torch

from tradewind.training.out_of_memory import OUT_OF_MEMORY, is_out_of_memory


def test_what_torch_says_on_a_cpu_is_known() -> None:
    with pytest.raises(OUT_OF_MEMORY) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
def test_other_names_are_known(error: BaseException) -> None:
    assert is_out_of_memory(error)


def test_other_errors_are_none() -> None:
    assert not is_out_of_memory(RuntimeError("expected m1 and m2 to have the same dtype"))
    assert not is_out_of_memory(ValueError("not enough memory"))
