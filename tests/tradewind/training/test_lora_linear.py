"""A LoRA layer as one operation gives PEFT's own numbers and gradients, and leaves no trace."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn

from tradewind.training.lora_linear import one_lora_operation


class _Two(nn.Module):
    def __init__(self, *, bias: bool) -> None:
        super().__init__()
        self.first = nn.Linear(12, 20, bias=bias)
        self.second = nn.Linear(20, 7, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(x)))


def _adapted(*, bias: bool = False, **lora: object) -> PeftModel:
    torch.manual_seed(5)
    config = LoraConfig(r=4, lora_alpha=12, target_modules=["first", "second"], **lora)
    model = get_peft_model(_Two(bias=bias), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zero at first, which would hide a fault
            nn.init.normal_(parameter)
    return model


def _found(model: PeftModel, x: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    x = x.clone().requires_grad_()
    y = model(x)
    y.square().sum().backward()
    return {"y": y.detach(), "x": x.grad} | {
        name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad
    }


@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("shape", [(3, 12), (2, 5, 12)], ids=str)
def test_numbers_and_gradients_are_pefts(shape: tuple[int, ...], bias: bool) -> None:
    model = _adapted(bias=bias).double()  # float32 would differ in its last digits
    x = torch.randn(*shape, dtype=torch.float64)
    expected = _found(model, x)
    with one_lora_operation(model) as changed:
        found = _found(model, x)
    assert changed == 2
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-10)


def test_what_was_there_comes_back() -> None:
    model = _adapted()
    layers = [module for module in model.modules() if hasattr(module, "lora_A")]
    with one_lora_operation(model):
        assert all("forward" in vars(layer) for layer in layers)
    assert not any("forward" in vars(layer) for layer in layers)
    with pytest.raises(ZeroDivisionError), one_lora_operation(model):
        raise ZeroDivisionError
    assert not any("forward" in vars(layer) for layer in layers)


@pytest.mark.parametrize(
    "lora",
    [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}],
    ids=["dropout", "a variant", "a bias of its own"],
)
def test_other_layers_keep_pefts_way(lora: dict[str, object]) -> None:
    with one_lora_operation(_adapted(bias=True, **lora)) as changed:
        assert changed == 0


def test_without_adapters_nothing_is_touched() -> None:
    with one_lora_operation(_Two(bias=True)) as changed:
        assert changed == 0


def test_a_frozen_weight_in_bfloat16_is_multiplied_in_bfloat16() -> None:
    model, x = _adapted(), torch.randn(6, 12)
    expected = _found(model, x)
    for module in model.modules():
        if hasattr(module, "lora_A"):
            module.get_base_layer().weight.data = module.get_base_layer().weight.data.to(torch.bfloat16)
    with one_lora_operation(model):
        found = _found(model, x)
    for name, value in expected.items():
        assert found[name].dtype == (torch.bfloat16 if name == "y" else torch.float32)  # as autocast would have it
        assert float((found[name] - value).norm() / value.norm()) < 0.05, name  # bfloat16 has eight bits
