"""What is learnt does not depend on how many examples are computed at once, nor on which way."""

from __future__ import annotations

import json
import logging
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.models.gemma2.modeling_gemma2 import Gemma2Model

from tradewind.config import ModelConfig, TrainingConfig
from tradewind.models import locate
from tradewind.training.load import load_model, load_tokenizer
from tradewind.training.tokens import pair_tokens
from tradewind.training.train import train

TINY = locate("embedded:tiny-gemma2")
SETTINGS: dict[str, Any] = {
    "num_train_epochs": 1,
    "learning_rate": 2e-3,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 4,
    "logging_steps": 1,
    "lora": {"r": 8, "lora_alpha": 16},
}
Trained = tuple[list[float], dict[str, Tensor], dict[str, Any]]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, list[int]]]:
    tokenizer = load_tokenizer(TINY)
    return [
        pair_tokens(tokenizer, f"What is term {n}?" + " And why?" * (n % 4), f"It is the answer {n}. " * (1 + n % 3))
        for n in range(32)
    ]


@pytest.fixture
def trained(rows: list[dict[str, list[int]]], tmp_path: Path) -> Callable[..., Trained]:
    """Train with some settings; returns the losses, the trained weights and the metrics."""

    def run(*, model: PreTrainedModel | None = None, **settings: Any) -> Trained:
        work = tmp_path / str(len(list(tmp_path.iterdir())))
        work.mkdir()
        made, metrics = train(
            "finetune",
            load_model(TINY, ModelConfig()) if model is None else model,
            load_tokenizer(TINY),
            rows,
            TrainingConfig(**(SETTINGS | settings)),
            1,
            work,
        )
        losses = [json.loads(line)["loss"] for line in (work / "log.jsonl").read_text("utf-8").splitlines()]
        weights = {name: item.detach().clone() for name, item in made.named_parameters() if item.requires_grad}
        return losses, weights, metrics

    return run


@pytest.fixture
def short_of_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Let the model's forward pass end as a GPU's would with more than so many examples at once."""

    def install(most: int) -> list[int]:
        tried: list[int] = []
        forward = Gemma2Model.forward

        def limited(self: Gemma2Model, input_ids: Tensor, **inputs: Any) -> Any:
            tried.append(len(input_ids))
            if len(input_ids) > most:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return forward(self, input_ids, **inputs)

        monkeypatch.setattr(Gemma2Model, "forward", limited)
        return tried

    return install


def _same(one: Trained, other: Trained, tolerance: float = 2e-4) -> None:
    assert one[0] == pytest.approx(other[0], abs=tolerance)
    for name, weight in one[1].items():
        torch.testing.assert_close(weight, other[1][name], rtol=0.02, atol=tolerance)


@pytest.mark.parametrize(
    "settings",
    [
        {"micro_batch_size": 2},
        {"micro_batch_size": 4},
        {"loss_type": "nll"},
        {"gradient_checkpointing": True},
        {"optim": "adamw_torch"},
        {"micro_batch_size": 1, "loss_type": "nll", "optim": "adamw_torch"},
    ],
    ids=str,
)
def test_each_lever_learns_the_same(trained: Callable[..., Trained], settings: dict[str, Any]) -> None:
    together = trained()
    assert together[2]["chosen"]["micro_batch_size"] == 8
    _same(together, trained(**settings))


def test_without_adapters_as_well(trained: Callable[..., Trained]) -> None:
    _same(trained(lora=None), trained(lora=None, micro_batch_size=2, loss_type="nll"))


def test_bfloat16_stays_near_and_the_weights_in_full_precision(trained: Callable[..., Trained]) -> None:
    wide, narrow = trained(), trained(bf16=True)
    assert narrow[2]["chosen"]["narrows_frozen_weights"]
    assert narrow[0] == pytest.approx(wide[0], abs=0.05)
    assert narrow[0] != wide[0]
    assert all(weight.dtype == torch.float32 for weight in narrow[1].values())


def test_out_of_memory_ends_in_a_smaller_batch_of_the_same_effect(
    trained: Callable[..., Trained], short_of_memory: Callable[[int], list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    expected = trained(packing=False)
    tried = short_of_memory(2)
    with caplog.at_level(logging.WARNING, logger="tradewind"):
        found = trained(micro_batch_size=8, packing=False)
    _same(found, expected)
    assert found[2]["steps"] == expected[2]["steps"] == 4
    assert tried == [8, 4] + [2] * 16  # tried once, not at each step again
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert warned == [
        f"out of memory with {size} examples at once: go on with half as many; a step's examples stay the same"
        for size in (8, 4)
    ]


def test_gradients_of_a_steps_earlier_batches_survive_running_out_of_memory(
    trained: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backward pass of the step's second batch fails half way, when some gradients are there already."""
    expected = trained(micro_batch_size=4)
    calls = 0

    def fail_once(module: torch.nn.Module, *_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    model = load_model(TINY, ModelConfig())
    model.model.layers[1].register_full_backward_hook(fail_once)
    found = trained(micro_batch_size=4, model=model)
    assert calls > 2
    _same(found, expected)


def test_a_single_example_that_does_not_fit_is_told(
    trained: Callable[..., Trained], short_of_memory: Callable[[int], list[int]]
) -> None:
    short_of_memory(0)
    for packing in (False, "auto"):
        with pytest.raises(torch.OutOfMemoryError):
            trained(micro_batch_size=8, packing=packing)


def test_a_row_that_does_not_fit_is_cut_between_its_examples(
    trained: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = trained()
    begun: list[int] = []
    forward = Gemma2Model.forward

    def limited(self: Gemma2Model, input_ids: Tensor, position_ids: Tensor, **inputs: Any) -> Any:
        begun.append(int((position_ids == 0).sum()))
        if begun[-1] > 5:  # of them one is padding
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, input_ids, position_ids=position_ids, **inputs)

    monkeypatch.setattr(Gemma2Model, "forward", limited)
    _same(trained(micro_batch_size=8), expected)
    assert begun[0] == 9
    assert sum(count > 5 for count in begun) <= 2  # halved once or twice, not tried whole at each step again


def test_examples_that_share_a_row_learn_what_they_learn_in_a_padded_batch(trained: Callable[..., Trained]) -> None:
    row = trained()
    assert row[2]["chosen"]["padding_free"]
    assert row[2]["chosen"]["row_attention"]
    _same(row, trained(group_by_length=False, packing=False))


def test_with_another_attention_too(trained: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch) -> None:
    """As with FlashAttention, which says itself where examples end: here the model's own, by masks."""
    expected = trained()
    monkeypatch.setattr("tradewind.training.plan._takes_row_attention", lambda *_: False)
    monkeypatch.setattr("tradewind.training.plan._choose_row", lambda *_: ("without padding", "of the test"))
    row = trained()
    assert not row[2]["chosen"]["row_attention"]
    _same(row, expected)


def test_packed_rows_learn_the_same_by_either_attention(
    trained: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"packing": True, "max_length": 128, "loss_type": "nll"}
    row = trained(**settings)
    assert row[2]["chosen"]["row_attention"]
    monkeypatch.setattr("tradewind.training.plan._takes_row_attention", lambda *_: False)
    _same(row, trained(**settings))


def test_a_pack_of_one_is_a_row_as_any(trained: Callable[..., Trained], rows: list[dict[str, list[int]]]) -> None:
    losses, _, metrics = trained(packing=True, max_length=max(len(row["input_ids"]) for row in rows))
    assert metrics["steps"] >= 1
    assert all(math.isfinite(loss) for loss in losses)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_compiled_layers_learn_the_same_and_are_as_before_afterwards(trained: Callable[..., Trained]) -> None:
    model = load_model(TINY, ModelConfig())
    compiled = trained(model=model, torch_compile=True)
    assert compiled[2]["chosen"]["row_attention"]
    assert all(layer._compiled_call_impl is None for layer in model.model.layers)
    _same(compiled, trained(torch_compile=False))
