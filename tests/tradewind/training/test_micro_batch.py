from __future__ import annotations

from pathlib import Path

import pytest
from transformers import PreTrainedModel

from tradewind.config import ModelConfig, TrainingConfig
from tradewind.errors import UserError
from tradewind.models import locate
from tradewind.training import host_memory, micro_batch
from tradewind.training.learning_memory import learning_bytes
from tradewind.training.load import load_model
from tradewind.training.memory import free_bytes, kept_for_backward, logits_bytes
from tradewind.training.micro_batch import choose_micro_batch


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return load_model(locate("embedded:tiny-gemma2"), ModelConfig())


def _with_room_for(examples: float, model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    learning = learning_bytes(model, TrainingConfig())
    needed = examples * kept_for_backward(model, 64) + logits_bytes(model.config.vocab_size)
    monkeypatch.setattr(micro_batch, "free_bytes", lambda _: int(needed / micro_batch._SHARE) + 1 + learning)


def test_a_longer_example_keeps_more_and_weights_do_not_count(model: PreTrainedModel) -> None:
    short, long = kept_for_backward(model, 32), kept_for_backward(model, 128)
    assert 3 * short < long < 40 * short  # attention's share grows with the square
    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_is_free_is_less_than_a_containers_limit(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert free_bytes(model.device) > 0
    (tmp_path / "max").write_text("3000\n")
    (tmp_path / "used").write_text("1000\n")
    monkeypatch.setattr(
        host_memory, "LIMITS", ((tmp_path / "absent", tmp_path / "used"), (tmp_path / "max", tmp_path / "used"))
    )
    assert free_bytes(model.device) == 2000
    (tmp_path / "max").write_text("max\n")
    assert free_bytes(model.device) > 2000


@pytest.mark.parametrize(("examples", "size"), [(100, 12), (12, 12), (11, 6), (5, 4), (1, 1)])
def test_as_many_as_fit_and_divide_the_step(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, examples: int, size: int
) -> None:
    _with_room_for(examples, model, monkeypatch)
    config = TrainingConfig(per_device_train_batch_size=3, gradient_accumulation_steps=4)
    found = choose_micro_batch(model, 64, config)
    assert (found.size, found.gradient_checkpointing) == (size, False)
    assert "of 64 tokens" in found.why


def test_where_not_even_one_fits_activations_are_computed_twice(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_room_for(0.5, model, monkeypatch)
    found = choose_micro_batch(model, 64, TrainingConfig())
    assert (found.size, found.gradient_checkpointing) == (1, True)
    fixed = choose_micro_batch(model, 64, TrainingConfig(gradient_checkpointing=False))
    assert (fixed.size, fixed.gradient_checkpointing) == (1, False)


def test_what_the_recipe_says_is_taken(model: PreTrainedModel) -> None:
    assert choose_micro_batch(model, 64, TrainingConfig(micro_batch_size=4)).size == 4
    checkpointed = choose_micro_batch(model, 64, TrainingConfig(gradient_checkpointing=True))
    assert (checkpointed.size, checkpointed.gradient_checkpointing) == (2, True)


def test_a_size_that_does_not_divide_the_step_is_told(model: PreTrainedModel) -> None:
    with pytest.raises(UserError, match=r"micro_batch_size: 3 does not divide the 8 examples of a step .*; say 2$"):
        choose_micro_batch(model, 64, TrainingConfig(micro_batch_size=3))
