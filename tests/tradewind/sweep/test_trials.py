"""What a form's settings mean, and what is refused before anything is trained."""

from __future__ import annotations

import pytest

from tradewind.errors import UserError
from tradewind.recipes import resolve
from tradewind.sweep.trials import read_trials

CONFIG = resolve("tiny", "embedded:en", 42, {"finetune.num_train_epochs": 4})
FINE = "finetune.learning_rate=1e-4"


def test_each_trial_changes_what_it_states_and_nothing_else() -> None:
    texts = [f"{FINE} finetune.lora.r=32", "finetune.lora=null", 'finetune.lora.target_modules="[q_proj, v_proj]"']
    small, whole, two = read_trials(texts, CONFIG)
    assert small.config.finetune.lora is not None
    assert (small.config.finetune.learning_rate, small.config.finetune.lora.r) == (1e-4, 32)
    assert small.config.finetune.num_train_epochs == 4
    assert small.config.model_copy(update={"finetune": CONFIG.finetune}) == CONFIG
    assert whole.config.finetune.lora is None
    assert two.config.finetune.lora is not None
    assert two.config.finetune.lora.target_modules == ("q_proj", "v_proj")
    assert [trial.folder for trial in (small, whole, two)] == [f"finetune-{number}-of-3" for number in (1, 2, 3)]
    assert (small.label, whole.label) == ("learning_rate=1e-4 lora.r=32", "lora=null")


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ("finetune.learnin_rate=1", "trial 2: finetune.learnin_rate: unknown key; did you mean 'finetune.learning_"),
        ("learning_rate=1e-3", "trial 2: learning_rate: unknown key; did you mean 'finetune.learning_rate'?"),
        ("lora.r=8", "trial 2: lora.r: unknown key; did you mean 'finetune.lora.r'?"),
        ("split.read=0.2", "trial 2: split.read: unknown key; a trial sets keys of finetune only"),
        ("finetune.enabled=false", "trial 2: finetune.enabled: unknown key"),
        ("finetune.push_to_hub=true", "trial 2: finetune.push_to_hub: unknown key"),
        ("finetune.learning_rate", "trial 2: finetune.learning_rate: has no value; write finetune.learning_rate=VALUE"),
        ("finetune.learning_rate=2", "trial 2: finetune.learning_rate: Input should be less than 1 (got 2)"),
        ("finetune.lora.r=many", "trial 2: finetune.lora.r: Input should be a valid integer"),
        ("finetune.optim=[", "trial 2: finetune.optim: '[' is not YAML; quote it"),
        ("finetune.optim='x", "trial 2: finetune.optim='x: No closing quotation"),
        (f"{FINE} {FINE}", "trial 2: finetune.learning_rate: stated twice"),
        ("  ", "trial 2: empty; write what it sets"),
        ("finetune.learning_rate=0.0001", "trial 2: finetune.learning_rate=0.0001: the same as trial 1; leave one out"),
    ],
)  # fmt: skip
def test_what_cannot_be_names_the_trial_the_key_and_what_to_write(second: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        read_trials([FINE, second], CONFIG)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_a_sweep_is_of_two_to_thirty_two_settings_of_a_training_that_there_is() -> None:
    many = [f"finetune.seed_{number}=1" for number in range(33)]
    for texts in ([FINE], many):
        with pytest.raises(UserError, match=f"settings: {len(texts)} trials; a sweep has 2 to 32"):
            read_trials(texts, CONFIG)
    off = resolve("tiny", "embedded:en", 42, {"finetune.enabled": False})
    with pytest.raises(UserError, match=r"finetune\.enabled: false in the recipe, so there is nothing to try"):
        read_trials([FINE, "finetune.learning_rate=1e-3"], off)


def test_a_label_fits_the_grid() -> None:
    long = f"finetune.lora.target_modules=[{','.join(['q_proj'] * 60)}]"
    first, _ = read_trials([long, FINE], CONFIG)
    assert len(first.label) == 180
    assert first.label.endswith("…")
