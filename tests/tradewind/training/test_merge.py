"""A merged model that equals its base, or lost its adapter, stops the run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from tradewind.config import LoraSettings, ModelConfig
from tradewind.errors import UserError
from tradewind.models import locate
from tradewind.training.load import load_model, load_tokenizer
from tradewind.training.merge import Before, save_trained

SOURCE = locate("embedded:tiny-gemma2")
PROBE = [2, 300, 301, 302, 303]


def _with_adapter(scale: float) -> tuple[PeftModel, Before]:
    model = load_model(SOURCE, ModelConfig())
    before = Before.of(model, PROBE)
    settings = LoraSettings(r=4)
    torch.manual_seed(0)
    adapted = get_peft_model(
        model, LoraConfig(r=settings.r, target_modules=list(settings.target_modules), task_type="CAUSAL_LM")
    )
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=scale) if scale else torch.nn.init.zeros_(weight)
    return adapted, before


def test_a_trained_adapter_is_merged_and_saved_so_that_it_answers_as_trained(tmp_path: Path) -> None:
    adapted, before = _with_adapter(0.1)
    found = save_trained(adapted, load_tokenizer(SOURCE), before, ModelConfig(), tmp_path)
    assert found["changed_tensors"] == 4 * 7  # layers x projections
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()
    merged = load_model(tmp_path / "model", ModelConfig())
    assert merged.generation_config is not None
    tokenizer = load_tokenizer(tmp_path / "model")
    assert merged.generation_config.eos_token_id == [
        tokenizer.convert_tokens_to_ids("<end_of_turn>"),
        tokenizer.eos_token_id,
    ]


def test_an_adapter_without_effect_is_refused(tmp_path: Path) -> None:
    adapted, before = _with_adapter(0.0)
    with pytest.raises(UserError, match="identical to its base, weight for weight"):
        save_trained(adapted, load_tokenizer(SOURCE), before, ModelConfig(), tmp_path)


def test_a_merge_that_loses_most_of_the_adapter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapted, before = _with_adapter(0.1)

    def merge_badly(self: PeftModel, **_: object) -> torch.nn.Module:
        """What a faulty merge does: the base comes back, but for one weight."""
        base = self.unload()
        with torch.no_grad():
            base.get_parameter("model.layers.0.mlp.up_proj.weight")[0, 0] += 1e-3
        return base

    monkeypatch.setattr(type(adapted.base_model), "merge_and_unload", merge_badly)
    with pytest.raises(UserError, match="the merge lost the adapter"):
        save_trained(adapted, load_tokenizer(SOURCE), before, ModelConfig(), tmp_path)
