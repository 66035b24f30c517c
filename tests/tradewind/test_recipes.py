"""Recipes: what the shipped ones say, and how a wrong one is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tradewind.config import DataConfig, LoraSettings, RunConfig
from tradewind.errors import UserError
from tradewind.models import locate
from tradewind.recipes import read_config, resolve, shipped_recipes


def _fault(recipe: str | Path, overrides: dict[str, Any] | None = None) -> str:
    with pytest.raises(UserError) as raised:
        resolve(str(recipe), "documents", overrides=overrides)
    message = str(raised.value)
    assert "\n" not in message
    return message


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return tmp_path / "own.yaml"


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_resolves(name: str) -> None:
    config = resolve(name, "documents", seed=5)
    assert (config.recipe, config.seed) == (name, 5)
    assert Path(config.data_dir) == Path.cwd() / "documents"


def test_the_shipped_recipes_are_the_embedded_one_and_the_original() -> None:
    assert shipped_recipes() == ["gemma-2-2b-it", "gemma-2-9b-it-qlora", "tiny"]
    assert resolve("tiny", "documents").model.model_name_or_path.startswith("embedded:")


def test_the_gemma_recipe_has_the_original_settings() -> None:
    config = resolve("gemma-2-2b-it", "documents")
    assert config.model.model_name_or_path == "google/gemma-2-2b-it"
    assert config.finetune.lora == LoraSettings(
        r=256,
        lora_alpha=32,
        lora_dropout=0.05,
        target_modules=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    )
    stated = config.finetune.model_dump(include={
        "learning_rate", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps",
        "micro_batch_size", "bf16", "save_steps", "push_to_hub", "report_to",
    })  # fmt: skip
    assert stated == {
        "learning_rate": 2e-4,
        "num_train_epochs": 3,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 4,
        "micro_batch_size": "auto",
        "bf16": "auto",
        "save_steps": 100,
        "push_to_hub": False,
        "report_to": (),
    }
    assert config.evaluate.encoder == "sentence-transformers/all-mpnet-base-v2"


def test_a_recipe_states_only_what_differs(recipe: Path) -> None:
    recipe.write_text("finetune:\n  lora: {r: 8}\n")
    config, defaults = resolve(str(recipe), "documents"), RunConfig(recipe="own", data_dir="documents")
    assert config.finetune.lora == LoraSettings(r=8)
    assert config.finetune.model_copy(update={"lora": LoraSettings()}) == defaults.finetune
    assert config.adapt == defaults.adapt
    assert config.recipe == "own"


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n"])
def test_an_empty_recipe_is_the_defaults(recipe: Path, text: str) -> None:
    recipe.write_text(text)
    config = resolve(str(recipe), "documents")
    assert config == RunConfig(recipe="own", data_dir=config.data_dir)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model:\n  dtype: float32\nfinetun: {}\n", "3: finetun: unknown key; did you mean 'finetune'?"),
        ("finetune:\n\n  learning_rte: 1\n", "3: finetune.learning_rte: unknown key; did you mean 'learning_rate'?"),
        ("adapt:\n  lora: {rr: 8}\n", "2: adapt.lora.rr: unknown key; did you mean 'r'?"),
        ("evaluate:\n  judge: {timeout: 9}\n", "2: evaluate.judge.model: Field required"),
        ("split:\n  xyz: 1\n", "2: split.xyz: unknown key"),
        ("split:\n  read: lots\n", "2: split.read: Input should be a valid number"),
        (
            "finetune: {lora: {r: yes}}\n",
            "1: finetune.lora.r: Value error, true and false (in YAML also yes, ",
        ),
        (
            "finetune: {num_train_epochs: .inf}\n",
            "1: finetune.num_train_epochs: Input should be a finite number",
        ),
        ("split: {read: 1.5}\n", "1: split.read: Input should be less than 1 (got 1.5)"),
        ("model: {dtype: int8}\n", "1: model.dtype: Input should be 'float32', 'bfloat16' or 'float16' (got 'int8')"),
        ("finetune:\nadapt: {}\n", "1: finetune: Input should be"),
        ("finetune: {push_to_hub: true}\n", "1: finetune: Value error, push_to_hub needs hub_model_id"),
        ("evaluate:\n  judge: {model: m, api_key_env: sk-123}\n", "2: evaluate.judge.api_key_env: "),
        (
            "data:\n  templates:\n    en: {term_to_description: '{trem}?'}\n",
            "3: data.templates.en.term_to_description: ",
        ),
        ("data:\n  templates:\n    en: {term_to_description: 'What?'}\n", "the template needs {description} or {term}"),
        ("data:\n  templates:\n    en: {term_to_description: '{term'}\n", "3: data.templates.en.term_to_description: "),
        ("data:\n  templates:\n    fr: {term_to_description: '{term}'}\n", "data.templates.fr"),
        ("data: {near_duplicate_threshold: 0.2}\n", "1: data.near_duplicate_threshold: "),
        ("data: {push_to_hub: true}\n", "1: data: Value error, push_to_hub needs hub_dataset_id"),
        ("registry: {push_to_hub: true}\n", "1: registry: Value error, push_to_hub needs hub_model_id"),
        ("gate: {require: []}\n", "1: gate.require: Tuple should have at least 1 item after validation, not 0"),
        ("gate: {no_loss: [{metric: bleu}]}\n", "1: gate.no_loss.0.metric: Input should be 'semscore', 'chrf'"),
        ("data:\n  quality: {min_answer: 9, max_answer: 8}\n", "2: data.quality: Value error, a minimum length"),
        ("extract: {models: m}\n", "1: extract.models: unknown key; did you mean 'model'?"),
        ("extract:\n  model: m\n  wordings: 2\n  model: n\n", "4: extract.model: stated twice, first in line 2; "),
        ("split: {read: 0.1}\nadapt: {}\nsplit: {}\n", "3: split: stated twice, first in line 1; leave one out"),
        ("a: b\n- c\n", "2: not YAML"),
        ("model: {dtype: [float32\n", "not YAML"),
        ("- model\n", "1: a recipe is a mapping of settings, not a list"),
        ("just text\n", "1: a recipe is a mapping of settings, not a str"),
        ("7: x\n", "1: 7: "),
    ],
)
def test_a_wrong_recipe_is_told_in_one_line_with_file_line_and_key(recipe: Path, text: str, told: str) -> None:
    recipe.write_text(text)
    message = _fault(recipe)
    assert message.startswith(f"{recipe}:")
    assert told in message


def test_a_login_in_an_address_is_refused_and_not_repeated(recipe: Path) -> None:
    recipe.write_text("registry: {mlflow_tracking_uri: 'https://me:pa55word@mlflow.example'}\n")
    message = _fault(recipe)
    assert "registry: Value error, mlflow_tracking_uri holds a login; set MLFLOW_TRACKING_USERNAME" in message
    assert "pa55word" not in message


def test_a_model_or_recipe_below_a_home_that_is_not_there_is_named(recipe: Path) -> None:
    assert _fault("~nobody-of-that-name/own.yaml").startswith("'~nobody-of-that-name/own.yaml': is no path: ")
    with pytest.raises(UserError, match=r"^.~nobody-of-that-name/model.: is no path: "):
        locate("~nobody-of-that-name/model")


@pytest.mark.parametrize(("key", "value"), [("seed", "7"), ("data_dir", "/documents"), ("recipe", "other")])
def test_a_recipe_cannot_state_what_the_command_line_does(recipe: Path, key: str, value: str) -> None:
    recipe.write_text(f"{key}: {value}\n")
    assert f"{recipe}:1: {key}: " in _fault(recipe)


def test_a_recipe_in_another_encoding_is_told_with_the_byte(recipe: Path) -> None:
    recipe.write_bytes(b"# \xc7\xd1\n")
    assert _fault(recipe) == f"{recipe}: byte 2: not UTF-8; save the recipe as UTF-8"


@pytest.mark.parametrize(
    ("name", "told"),
    [("tinny", "did you mean 'tiny'?"), ("zzz", "shipped are gemma-2-2b-it, gemma-2-9b-it-qlora, tiny")],
)
def test_an_unknown_recipe_s_name_is_told_with_what_there_is(name: str, told: str) -> None:
    message = _fault(name)
    assert message.startswith(f"recipe '{name}': unknown; ")
    assert told in message
    assert ".yaml" in message


def test_a_recipe_file_that_is_absent_is_told(recipe: Path) -> None:
    assert (
        _fault(recipe)
        == f"{recipe}: no such recipe file; name a shipped one (gemma-2-2b-it, gemma-2-9b-it-qlora, tiny) or a path"
    )


def test_overrides_win_over_the_recipe() -> None:
    config = resolve("tiny", "documents", overrides={"finetune.lora.r": 4, "split.read": 0.2, "adapt.lora": None})
    assert config.finetune.lora is not None
    assert (config.finetune.lora.r, config.finetune.lora.lora_alpha) == (4, 128)
    assert config.split.read == 0.2
    assert config.adapt.lora is None


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"finetune.lr": 1}, "override (--set): finetune.lr: unknown key"),
        ({"nothing": 1}, "override (--set): nothing: unknown key"),
        ({"split.read": "lots"}, "override (--set): split.read: Input should be a valid number"),
        ({"finetune": 3}, "override (--set): finetune: "),
        ({"seed": 7}, "override (--set): seed: "),
        ({"split": {"reed": 0.1}}, "override (--set): split.reed: unknown key; did you mean 'read'?"),
        ({"extract.models": "m"}, "override (--set): extract.models: unknown key; did you mean 'model'?"),
        ({"extract.wordings": 3}, "override (--set): extract.model: Field required"),
    ],
)
def test_a_wrong_override_is_told_as_one(overrides: dict[str, Any], told: str) -> None:
    assert _fault("tiny", overrides).startswith(told)


def test_a_fault_of_the_recipe_is_not_laid_on_an_override_beside_it(recipe: Path) -> None:
    recipe.write_text("split:\n  reed: 0.1\n")
    assert _fault(recipe, {"split.unseen": 0.2}).startswith(f"{recipe}:2: split.reed: unknown key")


@pytest.mark.parametrize("block", ["extract", "evaluate.judge"])
def test_a_key_in_place_of_its_variable_s_name_is_not_printed(recipe: Path, block: str) -> None:
    above, _, name = block.rpartition(".")
    recipe.write_text(f"{above}:\n  " * bool(above) + f"{name}: {{model: m, api_key_env: sk-12345}}\n")
    stated = _fault(recipe)
    assert stated.startswith(f"{recipe}:{1 + bool(above)}: {block}.api_key_env: ")
    assert "the NAME of an environment variable, not the key" in stated
    overridden = _fault("tiny", {f"{block}.model": "m", f"{block}.api_key_env": "sk-12345"})
    assert overridden.startswith(f"override (--set): {block}.api_key_env: ")
    assert "sk-12345" not in stated + overridden


@pytest.mark.parametrize("template", ["{term:d}", "{term!z}", "{term[0][1]}"])
def test_a_template_that_cannot_be_filled_is_refused(template: str) -> None:
    templates = {"en": {"description_to_term": "{description}", "term_to_description": template}}
    with pytest.raises(ValidationError):
        DataConfig.model_validate({"templates": templates})


def test_a_resolved_configuration_survives_its_file(tmp_path: Path) -> None:
    config = resolve("gemma-2-2b-it", "documents", 9, {"split.read": 0.25})
    (tmp_path / "config.json").write_text(config.model_dump_json())
    assert read_config(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "no such file"),
        ("{", "Invalid JSON"),
        ("{}", "Field required"),
        ('{"recipe": "r", "data_dir": "d", "x": 1}', "x: unknown key"),
        ('{"recipe": "r", "data_dir": "d", "padding": ' + '"long" ' * 500, "Invalid JSON"),
    ],
)
def test_a_damaged_configuration_is_told_in_one_readable_line(tmp_path: Path, text: str | None, told: str) -> None:
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError) as raised:
        read_config(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert told in message
    assert "\n" not in message
    assert len(message) < len(str(path)) + 300
