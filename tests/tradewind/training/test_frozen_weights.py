from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from tradewind.training.frozen_weights import in_bfloat16


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(1)
    return get_peft_model(nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 3)), LoraConfig(r=2, target_modules=["0"]))


def test_weights_below_adapters_are_narrow_and_come_back_bit_for_bit(model: nn.Module) -> None:
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    with in_bfloat16(model) as count:
        dtypes = {name: parameter.dtype for name, parameter in model.named_parameters()}
    assert count == 1
    assert [name for name, dtype in dtypes.items() if dtype == torch.bfloat16] == [
        name for name in before if name.endswith("0.base_layer.weight")
    ]
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name])


def test_they_come_back_from_a_failed_training(model: nn.Module) -> None:
    with pytest.raises(ZeroDivisionError), in_bfloat16(model):
        raise ZeroDivisionError
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
