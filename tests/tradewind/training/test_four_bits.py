"""QLoRA for real, on this CPU: trained on 4-bit weights, merged into the unquantised ones."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from hub_models import GEMMA_2_2B
from tradewind.config import LoraSettings, ModelConfig, QuantizationSettings, TrainingConfig
from tradewind.errors import UserError
from tradewind.files import sha256_of
from tradewind.models import EMBEDDED
from tradewind.models.needs import memory_need, training_bytes
from tradewind.models.shape import Shape
from tradewind.preflight import check_recipe
from tradewind.recipes import resolve
from tradewind.training.four_bits import check_support, is_in_four_bits
from tradewind.training.job import TRAINED
from tradewind.training.launch import launch
from tradewind.training.load import load_model
from tradewind.training.train import with_adapter
from trained_kind import killed_after, train_and_save
from two_processes import BOUND, alone, job_of, losses, some_rows

bnb = pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
TINY = EMBEDDED / "tiny-gemma2"
FOUR: dict[str, Any] = {"lora": {"r": 8, "lora_alpha": 16}, "quantization_config": {}}


def _quantised(**settings: Any) -> Any:
    return load_model(TINY, ModelConfig(), QuantizationSettings(**settings))


@pytest.mark.parametrize("double", [True, False])
def test_layers_are_in_four_bits_and_take_what_the_estimate_says(double: bool) -> None:
    model = _quantised(bnb_4bit_use_double_quant=double)
    layers = [module for module in model.modules() if isinstance(module, bnb.nn.Linear4bit)]
    assert len(layers) == 4 * 7
    assert {layer.weight.dtype for layer in layers} == {torch.uint8}
    states = [layer.weight.quant_state for layer in layers]
    held = sum(layer.weight.nbytes for layer in layers) + sum(state.absmax.nbytes for state in states)
    held += sum(state.state2.absmax.nbytes for state in states if state.nested)
    shape = Shape.read(TINY)
    rest = (shape.parameters - shape.projected) * 4
    recipe = resolve("tiny", "embedded:en", overrides={
        "finetune.quantization_config.bnb_4bit_use_double_quant": double, "finetune.lora.r": 1})  # fmt: skip
    wide = resolve("tiny", "embedded:en", overrides={"finetune.lora.r": 1})
    saved = training_bytes(shape, wide, wide.finetune) - training_bytes(shape, recipe, recipe.finetune)
    assert shape.parameters * 4 - saved == pytest.approx(held + rest, rel=0.01)


def test_what_is_not_in_four_bits_is_float32_below_adapters_in_float32() -> None:
    model = load_model(TINY, ModelConfig(dtype="bfloat16"), QuantizationSettings())
    adapted = with_adapter(model, LoraSettings(r=4))
    assert is_in_four_bits(adapted)
    assert {weight.dtype for weight in adapted.parameters()} == {torch.uint8, torch.float32}
    assert all(("lora_" in name) == weight.requires_grad for name, weight in adapted.named_parameters())


@pytest.mark.filterwarnings("error:.*autograd kernel was not registered.*")
def test_gradients_are_those_of_the_same_weights_unpacked() -> None:
    """Also after the model was asked something outside of training, as each stage asks its probe."""
    model = _quantised(bnb_4bit_compute_dtype="float32")
    adapted = with_adapter(model, LoraSettings(r=4))
    same = load_model(TINY, ModelConfig())
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, bnb.nn.Linear4bit):
                plain = bnb.functional.dequantize_4bit(module.weight.data, module.weight.quant_state)
                same.get_submodule(name.replace(".base_layer", "")).weight.copy_(plain)
    other = with_adapter(same, LoraSettings(r=4))
    other.load_state_dict(
        {name: weight for name, weight in adapted.state_dict().items() if "lora_" in name}, strict=False
    )
    for one in (adapted, other):
        for name, weight in one.named_parameters():
            if "lora_B" in name:
                torch.nn.init.constant_(weight, 0.01)
    ids = torch.arange(5, 37)[None]
    gradients = []
    for one in (adapted, other):
        one.eval()
        with torch.no_grad():
            one(input_ids=ids)
        one.train()
        one(input_ids=ids, labels=ids).loss.backward()
        gradients.append({name: weight.grad for name, weight in one.named_parameters() if weight.requires_grad})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=1e-3, atol=1e-5)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A training that nothing interrupted, and its metrics."""
    work = tmp_path_factory.mktemp("whole")
    return work, train_and_save(work, FOUR)


@pytest.mark.slow
def test_an_adapter_learns_on_four_bits_and_lands_in_the_unquantised_base(whole: tuple[Path, dict[str, Any]]) -> None:
    tmp_path, metrics = whole
    chosen = metrics["chosen"]
    assert (chosen["narrows_frozen_weights"], chosen["torch_compile"]) == (False, False)
    plain = train_and_save(tmp_path / "plain", {"lora": FOUR["lora"]})
    assert metrics["last_loss"] < 0.8 * metrics["loss"], "it learns"
    assert metrics["loss"] == pytest.approx(plain["loss"], rel=0.1), "as adapters on the unquantised base do"
    assert metrics["changed_tensors"] == 4 * 7
    base, saved = load_file(TINY / "model.safetensors"), load_file(tmp_path / "model" / "model.safetensors")
    adapter = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert {weight.dtype for weight in adapter.values()} == {torch.float32}
    for name, weight in saved.items():
        path = f"base_model.model.{name.removesuffix('.weight')}"
        before = base[name].float()
        if f"{path}.lora_A.weight" in adapter:
            before = before + 2.0 * adapter[f"{path}.lora_B.weight"] @ adapter[f"{path}.lora_A.weight"]
        # Without the rounding of 4 bits, which is some hundred times as large.
        torch.testing.assert_close(weight.float(), before, rtol=0, atol=1e-5)
    assert not is_in_four_bits(load_model(tmp_path / "model", ModelConfig()))


@pytest.mark.slow
def test_a_killed_training_on_four_bits_ends_as_one_never_killed(
    tmp_path: Path, whole: tuple[Path, dict[str, Any]]
) -> None:
    killed_after(8, tmp_path / "killed", FOUR)
    assert train_and_save(tmp_path / "killed", FOUR)["resumed_from_step"] in (8, 12)
    for name in ("model/model.safetensors", "adapter/adapter_model.safetensors"):
        assert sha256_of(tmp_path / "killed" / name) == sha256_of(whole[0] / name)


@pytest.mark.slow
def test_each_lever_learns_the_same_on_four_bits(tmp_path: Path) -> None:
    exact = FOUR | {"quantization_config": {"bnb_4bit_compute_dtype": "float32"}, "num_train_epochs": 1}
    one = train_and_save(tmp_path / "one", exact | {"group_by_length": False})
    for settings in (
        {"micro_batch_size": 2, "loss_type": "nll"},
        {"gradient_checkpointing": True, "packing": False, "group_by_length": False},
    ):
        other = train_and_save(tmp_path / f"other-{len(settings)}", exact | settings)
        assert one["loss"] == pytest.approx(other["loss"], abs=2e-3)
        assert one["probe_logit_change"] == pytest.approx(other["probe_logit_change"], rel=0.05)


@pytest.mark.slow
def test_two_processes_learn_on_four_bits_what_one_learns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = some_rows()
    exact = {"quantization_config": {"bnb_4bit_compute_dtype": "float32"}}
    expected = alone(rows, tmp_path / "alone", **exact)
    work = job_of(rows, tmp_path / "together", **exact)
    with caplog.at_level(logging.INFO, logger="tradewind"):
        launch(work, 2)
    assert losses(work) == pytest.approx(losses(tmp_path / "alone"), abs=BOUND)
    assert "kernels-community" not in caplog.text, "bitsandbytes is kept from offering what is on the network"
    adapter = load_file(work / TRAINED / "adapter_model.safetensors")
    learnt = {name.replace(".default", ""): weight.detach() for name, weight in expected["weights"].items()}
    assert adapter.keys() == learnt.keys()
    for name, weight in adapter.items():
        torch.testing.assert_close(weight, learnt[name], rtol=0.02, atol=2e-4)


def test_four_bits_without_adapters_are_refused_in_the_recipe() -> None:
    with pytest.raises(UserError, match="quantization_config needs lora: weights in 4 bits cannot be trained"):
        resolve("tiny", "embedded:en", overrides={"finetune.lora": None, "finetune.quantization_config": {}})
    off = {"finetune.lora": None, "finetune.quantization_config.load_in_4bit": False}
    assert resolve("tiny", "embedded:en", overrides=off).finetune.lora is None
    assert TrainingConfig(quantization_config=QuantizationSettings()).quantization_config is not None


def test_a_platform_that_cannot_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_library(*_: Any, **__: Any) -> None:
        raise RuntimeError("Configured native library was not found\nand more lines")

    check_support.cache_clear()
    monkeypatch.setattr(bnb.nn, "Linear4bit", without_library)
    with pytest.raises(UserError) as told:
        _quantised()
    assert str(told.value) == (
        "quantization_config: bitsandbytes cannot compute in 4 bits on this cpu (RuntimeError: Configured native "
        "library was not found); install bitsandbytes 0.50 or newer for it, or leave quantization_config out of the "
        "recipe"
    )
    check_support.cache_clear()


def test_without_bitsandbytes_the_recipe_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else found(name))
    told = r"^{}quantization_config: bitsandbytes is not installed; pip install 'tradewind\[qlora\]'"
    with pytest.raises(UserError, match=told.format(r"finetune\.")):
        check_recipe(resolve("tiny", "embedded:en", overrides={"finetune.quantization_config": {}}))
    check_recipe(resolve("tiny", "embedded:en", overrides={"finetune.quantization_config": {}}), in_image=True)
    check_support.cache_clear()
    with pytest.raises(UserError, match=told.format("")):
        _quantised()
    check_support.cache_clear()


def test_gemmas_of_2_and_9_billion_want_what_the_documentation_says() -> None:
    nine = GEMMA_2_2B | {
        "hidden_size": 3584, "intermediate_size": 14336, "num_hidden_layers": 42, "num_attention_heads": 16,
        "num_key_value_heads": 8,
    }  # fmt: skip
    recipe = resolve("gemma-2-9b-it-qlora", "embedded:en")
    for shape, told in ((Shape.of(GEMMA_2_2B), 5.0e9), (Shape.of(nine), 10.7e9)):
        assert training_bytes(shape, recipe, recipe.finetune) == pytest.approx(told, rel=0.02)
    need = memory_need(Shape.of(nine), recipe)
    assert need.what == "evaluate"
    assert need.bytes == pytest.approx(19.3e9, rel=0.01)


def test_they_are_not_shared_out_among_gpus() -> None:
    with pytest.raises(ValidationError, match="fsdp cannot share out weights in 4 bits"):
        TrainingConfig(fsdp=True, quantization_config=QuantizationSettings())
