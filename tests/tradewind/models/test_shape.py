"""A model's size by its configuration, against the model itself and against published numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub_models import GEMMA_2_2B
from tradewind.config import LoraSettings, ModelConfig
from tradewind.errors import UserError
from tradewind.models import EMBEDDED
from tradewind.models.needs import disk_need, memory_need, training_bytes
from tradewind.models.shape import Shape
from tradewind.recipes import resolve

TARGETS = LoraSettings().target_modules
GEMMA_2_9B = GEMMA_2_2B | {
    "hidden_size": 3584, "intermediate_size": 14336, "num_hidden_layers": 42,
    "num_attention_heads": 16, "num_key_value_heads": 8,
}  # fmt: skip


def test_it_counts_what_torch_counts() -> None:
    from tradewind.training.load import load_model
    from tradewind.training.train import with_adapter

    folder = EMBEDDED / "tiny-gemma2"
    shape = Shape.read(folder)
    model = load_model(folder, ModelConfig())
    assert shape.parameters == sum(weight.numel() for weight in model.parameters())
    adapted = with_adapter(model, LoraSettings(r=4))
    learning = sum(weight.numel() for weight in adapted.parameters() if weight.requires_grad)
    assert shape.adapter(4, TARGETS) == learning


def test_it_knows_the_published_sizes() -> None:
    assert Shape.of(GEMMA_2_2B).parameters == 2_614_341_888
    assert Shape.of(GEMMA_2_9B).parameters == 9_241_705_984


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", '{"hidden_size": "many", "num_attention_heads": 2}'])
def test_a_configuration_of_another_kind_is_refused_in_a_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as told:
        Shape.read(tmp_path)
    assert "config.json" in str(told.value)
    assert "\n" not in str(told.value)


def test_the_needs_are_those_of_the_documentation() -> None:
    """docs/gemma.md: 5.2 GB of weights, 5.3 GB for an adapter at r 256; 42 GB for every weight in float32."""
    recipe, shape = resolve("gemma-2-2b-it", "embedded:en"), Shape.of(GEMMA_2_2B)
    need = memory_need(shape, recipe)
    assert need.what in ("adapt", "finetune")
    assert 10.5e9 < need.bytes < 13e9
    whole = resolve("gemma-2-2b-it", "embedded:en", overrides={"finetune.lora": None, "model.dtype": "float32"})
    assert 42e9 < training_bytes(shape, whole, whole.finetune) < 45e9
    assert 13e9 < disk_need(shape, recipe) < 30e9


def test_a_configuration_may_hold_that_of_its_text_part() -> None:
    assert Shape.of({"text_config": GEMMA_2_2B}) == Shape.of(json.loads(json.dumps(GEMMA_2_2B)))
