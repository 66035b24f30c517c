from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from peft import PeftModel
from transformers import PreTrainedModel

from tradewind.config import LoraSettings, ModelConfig, TrainingConfig
from tradewind.errors import UserError
from tradewind.models import locate
from tradewind.training.load import load_model
from tradewind.training.sharding import check_shares_fit, check_world, choose_sharding, training_bytes
from tradewind.training.train import with_adapter
from tradewind.training.world import ALONE, World

TWO_GPUS = World(2, 0, 0, "cuda")


@pytest.fixture
def model() -> PreTrainedModel:
    return load_model(locate("embedded:tiny-gemma2"), ModelConfig())


@pytest.fixture
def adapted(model: PreTrainedModel) -> PeftModel:
    return with_adapter(model, LoraSettings(r=4))


@pytest.fixture
def gpu_memory(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What torch says of a GPU that is not there."""
    found = SimpleNamespace(total_memory=0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: found)
    return found


def test_a_trained_weight_counts_four_times_and_a_frozen_one_once(
    model: PreTrainedModel, gpu_memory: SimpleNamespace
) -> None:
    weights = sum(parameter.nbytes for parameter in model.parameters())
    assert training_bytes(model, TrainingConfig()) == 4 * weights
    adapted = with_adapter(model, LoraSettings(r=4))
    adapter = sum(parameter.nbytes for parameter in adapted.parameters() if parameter.requires_grad)
    assert training_bytes(adapted, TrainingConfig()) == weights + 4 * adapter


def test_weights_are_shared_out_where_one_gpu_has_no_room_for_the_training(
    adapted: PeftModel, gpu_memory: SimpleNamespace
) -> None:
    needed = training_bytes(adapted, TrainingConfig())
    for total, expected in ((2 * needed, False), (needed, True)):  # a part of a GPU is for activations
        gpu_memory.total_memory = total
        assert choose_sharding("finetune", adapted, TrainingConfig(), TWO_GPUS) is expected
        assert not choose_sharding("finetune", adapted, TrainingConfig(), ALONE)
        assert not choose_sharding("finetune", adapted, TrainingConfig(), World(2, 0, 0, "cpu"))
        assert choose_sharding("finetune", adapted, TrainingConfig(fsdp=True), TWO_GPUS)
        assert not choose_sharding("finetune", adapted, TrainingConfig(fsdp=False), TWO_GPUS)


def test_shares_that_no_gpu_has_room_for_are_told_before_the_first_step(
    adapted: PeftModel, gpu_memory: SimpleNamespace
) -> None:
    needed = training_bytes(adapted, TrainingConfig())
    gpu_memory.total_memory = needed // 2 + 1
    check_shares_fit("finetune", adapted, TrainingConfig(), TWO_GPUS)
    gpu_memory.total_memory = needed // 2 - 1
    told = (
        r"^finetune: weights, .* shared out among 2 GPUs, take 0\.0 GiB of each, .*; lower finetune\.lora\.r, or take"
    )
    with pytest.raises(UserError, match=told):
        check_shares_fit("finetune", adapted, TrainingConfig(), TWO_GPUS)
    with pytest.raises(UserError, match=r"set finetune\.lora, which trains a small part of them, or take more GPUs"):
        check_shares_fit("finetune", adapted, TrainingConfig(lora=None), TWO_GPUS)


@pytest.mark.parametrize(
    ("world", "sharded", "asked"),
    [
        (World(2, 0, 0, "cpu"), True, "process 0 of 2 by FSDP on cpu"),
        (World(2, 0, 0, "cpu"), False, "process 0 of 2 by MULTI_CPU on cpu"),
        (World(2, 1, 1, "cuda"), False, "process 1 of 2 by MULTI_GPU on cuda:1"),
        (World(2, 1, 1, "cuda"), True, "process 1 of 2 by FSDP on cuda:1"),
    ],
)
def test_what_accelerate_does_instead_is_told(world: World, sharded: bool, asked: str) -> None:
    """As `accelerate launch --cpu --num_processes 2` does: it starts two that know nothing of each other."""
    accelerator = Accelerator(cpu=True)
    with pytest.raises(UserError) as caught:
        check_world(accelerator, world, sharded=sharded)
    assert str(caught.value).startswith(f"asked for {asked}, accelerate made process 0 of 1 by NO on cpu: ")
    check_world(accelerator, ALONE, sharded=False)
