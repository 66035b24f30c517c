from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from tradewind.config import ModelConfig, TrainingConfig
from tradewind.errors import UserError
from tradewind.models import locate
from tradewind.training import attention, plan, precision
from tradewind.training.attention import choose_attention
from tradewind.training.bfloat16 import has_bfloat16
from tradewind.training.load import load_model
from tradewind.training.plan import plan_training
from tradewind.training.precision import choose_bfloat16

ROWS = [{"input_ids": [7] * length} for length in (5, 9, 12)]


@pytest.fixture
def model() -> PreTrainedModel:
    return load_model(locate("embedded:tiny-gemma2"), ModelConfig())


@pytest.fixture
def adapted(model: PreTrainedModel) -> PeftModel:
    return get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj", "v_proj"]))


def test_a_short_training_on_a_cpu_is_plain_and_the_log_says_why(
    adapted: PeftModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="tradewind"):
        found = plan_training("finetune", adapted, ROWS, TrainingConfig(), tmp_path / "plan.json")
    assert found.micro_batch_size == 8
    assert found.optim == "adamw_torch_fused"
    assert found.answer_loss
    assert found.padding_free
    assert found.row_attention
    assert not any([found.bf16, found.packing, found.torch_compile, found.gradient_checkpointing])
    said = [record.message for record in caplog.records]
    assert said[0].startswith("finetune: 8 of a step's 8 examples at once: the longest, of 12 tokens, keeps ")
    assert said[1:] == [
        "finetune: float32: a step has too little arithmetic for it to matter",
        "finetune: rows without padding: on a CPU the attention of examples of like length is a product of its own",
        "finetune: not compiled: the training is too short",
    ]


def test_a_resumed_training_computes_as_it_began(adapted: PeftModel, tmp_path: Path) -> None:
    first = plan_training("finetune", adapted, ROWS, TrainingConfig(bf16=True), tmp_path / "plan.json")
    assert first.bf16
    assert first.narrows_frozen_weights
    again = plan_training("finetune", adapted, ROWS, TrainingConfig(bf16=False), tmp_path / "plan.json")
    assert again == first


def test_all_can_be_fixed_by_hand(adapted: PeftModel, tmp_path: Path) -> None:
    by_hand: dict[str, Any] = {
        "micro_batch_size": 2, "packing": True, "gradient_checkpointing": True, "loss_type": "nll",
        "optim": "adafactor", "bf16": False, "torch_compile": True,
    }  # fmt: skip
    found = plan_training("finetune", adapted, ROWS, TrainingConfig(**by_hand), tmp_path / "plan.json")
    assert (found.micro_batch_size, found.gradient_accumulation_steps) == (2, 4)
    assert found.packing
    assert found.gradient_checkpointing
    assert found.torch_compile
    assert found.optim == "adafactor"
    assert not found.bf16
    assert not found.answer_loss


def test_with_flash_attention_examples_share_a_row(model: PreTrainedModel) -> None:
    model.config._attn_implementation = "flash_attention_2"
    assert plan._choose_row(model, TrainingConfig(), torch.device("cpu"))[0] == "without padding"
    assert plan._choose_row(model, TrainingConfig(packing=False), torch.device("cpu"))[0] == "padded"
    assert plan._choose_row(model, TrainingConfig(packing=True), torch.device("cpu"))[0] == "packed"


def test_an_attention_that_the_recipe_names_is_kept(adapted: PeftModel, tmp_path: Path) -> None:
    adapted.get_base_model().config._attn_implementation = "sdpa"  # which Gemma-2 has not; other models have
    found = plan_training("finetune", adapted, ROWS, TrainingConfig(micro_batch_size=8), tmp_path / "plan.json")
    assert not any([found.padding_free, found.row_attention])
    packing = TrainingConfig(micro_batch_size=8, packing=True)
    packed = plan_training("finetune", adapted, ROWS, packing, tmp_path / "packed.json")
    assert packed.packing
    assert not packed.row_attention


def test_packed_rows_are_kept_apart_as_a_step_s_row_is(adapted: PeftModel, tmp_path: Path) -> None:
    found = plan_training("finetune", adapted, ROWS, TrainingConfig(packing=True), tmp_path / "plan.json")
    assert (found.packing, found.padding_free, found.row_attention) == (True, False, True)
    padded = plan_training("finetune", adapted, ROWS, TrainingConfig(packing=False), tmp_path / "padded.json")
    assert not any([padded.packing, padded.padding_free, padded.row_attention])


def test_several_processes_share_the_examples_of_a_step(adapted: PeftModel, tmp_path: Path) -> None:
    found = plan_training("finetune", adapted, ROWS, TrainingConfig(), tmp_path / "plan.json", processes=4)
    assert (found.micro_batch_size, found.gradient_accumulation_steps, found.processes) == (2, 1, 4)
    assert found.answer_loss
    with pytest.raises(UserError, match=r"3 processes cannot share the 8 examples .* evenly; take 2 GPUs, or change"):
        plan_training("finetune", adapted, ROWS, TrainingConfig(), tmp_path / "another.json", processes=3)
    assert not (tmp_path / "another.json").exists()


def test_resumed_by_another_number_of_processes_only_the_division_is_new(adapted: PeftModel, tmp_path: Path) -> None:
    first = plan_training("finetune", adapted, ROWS, TrainingConfig(bf16=True), tmp_path / "plan.json")
    wide = TrainingConfig(bf16=False)
    again = plan_training("finetune", adapted, ROWS, wide, tmp_path / "plan.json", processes=2)
    assert again == replace(first, micro_batch_size=4, processes=2)
    assert plan_training("finetune", adapted, ROWS, wide, tmp_path / "plan.json", processes=2) == again


def test_a_model_that_is_shared_out_is_computed_the_way_all_follow(adapted: PeftModel, tmp_path: Path) -> None:
    found = plan_training(
        "finetune", adapted, ROWS, TrainingConfig(), tmp_path / "plan.json", processes=2, sharded=True
    )
    assert (found.micro_batch_size, found.gradient_accumulation_steps) == (1, 4)
    assert found.gradient_checkpointing
    assert not found.answer_loss


def test_a_model_that_goes_to_gpus_in_parts_is_planned_for_these(
    adapted: PeftModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It lies on the CPU until then, where nothing of what it will do can be measured."""
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: device.type == "cuda")
    monkeypatch.setattr(precision, "LARGE_STEP", 1.0)
    rows = ROWS * 40
    with caplog.at_level(logging.INFO, logger="tradewind"):
        found = plan_training(
            "finetune", adapted, rows, TrainingConfig(), tmp_path / "plan.json", processes=2, sharded=True,
            device=torch.device("cuda", 0),
        )  # fmt: skip
    assert found.bf16
    assert not any([found.row_attention, found.padding_free, found.narrows_frozen_weights, found.answer_loss])
    assert "finetune: bfloat16: no GPU holds the whole model, to be measured with it" in caplog.messages


def test_what_was_planned_for_whole_weights_is_not_taken_over_for_shared_ones(
    adapted: PeftModel, tmp_path: Path
) -> None:
    kept = tmp_path / "plan.json"
    whole = plan_training("finetune", adapted, ROWS, TrainingConfig(bf16=True), kept, processes=2)
    assert (whole.answer_loss, whole.narrows_frozen_weights) == (True, True)
    shared = plan_training("finetune", adapted, ROWS, TrainingConfig(bf16=True), kept, processes=2, sharded=True)
    assert (shared.answer_loss, shared.narrows_frozen_weights, shared.sharded) == (False, False, True)
    assert plan_training("finetune", adapted, ROWS, TrainingConfig(), kept, processes=2, sharded=True) == shared


@pytest.mark.parametrize(
    ("device", "compiler", "flops", "chosen", "why"),
    [
        ("cuda", "gcc", 1e18, True, "long enough"),
        ("cuda", "gcc", 1e16, False, "too short"),
        ("cuda", "g++", 1e18, False, "there is no compiler (cc, gcc, clang)"),
        ("cpu", "g++", 1e16, True, "long enough"),
        ("cpu", "g++", 1e14, False, "too short"),
        ("cpu", "gcc", 1e16, False, "there is no compiler (c++, g++, clang++)"),
    ],
)
def test_what_is_long_is_compiled_where_a_compiler_is(
    model: PreTrainedModel, device: str, compiler: str, flops: float, chosen: bool, why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("shutil.which", lambda name: name if name == compiler else None)
    found, reason = plan._choose_compiling(model, flops, TrainingConfig(), torch.device(device))
    assert found is chosen
    assert why in reason


def test_bfloat16_is_measured_where_steps_are_large_and_many(
    adapted: PeftModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "LARGE_STEP", 1.0)
    if not has_bfloat16(adapted.device):
        pytest.skip("this CPU has no bfloat16")
    few = 29 * precision.training_flops(adapted, 32)
    assert choose_bfloat16(adapted, 16, 2, few, TrainingConfig()) == (
        False,
        "the training is too short for a measurement to pay",
    )
    before = {name: weight.detach().clone() for name, weight in adapted.named_parameters()}
    found, why = choose_bfloat16(adapted, 16, 2, 1e20, TrainingConfig())
    ratio = float(why.split()[1])
    assert why == f"measured {ratio:.2f} times as fast as float32 on 2 x 16 tokens"
    assert abs(ratio - precision.CLEARLY) < 0.01 or found is (ratio >= precision.CLEARLY)
    for name, weight in adapted.named_parameters():
        assert torch.equal(weight, before[name])
        assert weight.grad is None


def test_a_cpu_without_bfloat16_stays_in_float32(adapted: PeftModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: False)
    assert choose_bfloat16(adapted, 16, 2, 1e20, TrainingConfig()) == (False, "this CPU has no bfloat16")


def test_weights_in_half_precision_decide(model: PreTrainedModel) -> None:
    narrow = model.to(torch.bfloat16)
    assert choose_bfloat16(narrow, 16, 2, 0.0, TrainingConfig()) == (True, "the weights are in bfloat16")


@pytest.mark.parametrize(
    ("gpu", "installed", "dtype", "found"),
    [
        (False, True, "bfloat16", "eager"),
        (True, False, "bfloat16", "eager"),
        (True, True, "float32", "eager"),
        (True, True, "bfloat16", "flash_attention_2"),
    ],
)
def test_flash_attention_where_it_can_be_had(
    gpu: bool, installed: bool, dtype: Any, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(attention, "is_flash_attn_2_available", lambda: installed)
    assert choose_attention(ModelConfig(dtype=dtype))[0] == found
    assert choose_attention(ModelConfig(dtype=dtype, attn_implementation="sdpa")) == ("sdpa", "the recipe says so")
    # As the stage computes beside GPUs that are its team's.
    assert choose_attention(ModelConfig(dtype=dtype), "cpu")[0] == "eager"
    on_cpu = choose_attention(ModelConfig(dtype=dtype, attn_implementation="flash_attention_2"), "cpu")
    # Without a GPU to be beside it is a mistake, which the load tells.
    assert on_cpu[0] == ("eager" if gpu else "flash_attention_2")
