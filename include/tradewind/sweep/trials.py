"""The trials of a sweep: what each sets otherwise than its run."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tradewind.config import LoraSettings, RunConfig, TrainingConfig
from tradewind.errors import UserError
from tradewind.recipes import OVERRIDE, overridden
from tradewind.shard import Shard

FEWEST, MOST = 2, 32
_BLOCK = "finetune."
_NOT_OF_A_TRIAL = {"enabled", "push_to_hub", "hub_model_id"}
"""A trial is trained, and a loser is sent nowhere."""
_NAMES = (
    *(name for name in TrainingConfig.model_fields if name not in _NOT_OF_A_TRIAL),
    *(f"lora.{name}" for name in LoraSettings.model_fields),
)
_LONGEST_LABEL = 180


@dataclass(frozen=True)
class Trial:
    """One of the settings that are compared."""

    shard: Shard
    """Which of how many; its folder in the run is the shard's."""
    overrides: dict[str, Any]
    config: RunConfig
    """The run's with the overrides."""
    label: str
    """What it sets, as a person wrote it: `learning_rate=1e-4 lora.r=32`."""

    @property
    def folder(self) -> str:
        """What its folder in the run is called."""
        return self.shard.folder("finetune")


def read_trials(settings: Sequence[str], config: RunConfig) -> list[Trial]:
    """The trials that a form states, each as `finetune.learning_rate=1e-4 finetune.lora.r=32`.

    Args:
        settings: one text a trial; a value is YAML, in quotes where it holds a blank.
        config: what each of them changes.

    Raises:
        UserError: one line that names the trial, the key and the nearest that there is.
    """
    if not FEWEST <= len(settings) <= MOST:
        raise UserError(f"settings: {len(settings)} trials; a sweep has {FEWEST} to {MOST}")
    if not config.finetune.enabled:
        raise UserError("finetune.enabled: false in the recipe, so there is nothing to try; set it to true")
    trials: list[Trial] = []
    for number, text in enumerate(settings, 1):
        stated = _stated(text, f"trial {number}")
        try:
            overrides = {key: _value(value, key) for key, value in stated.items()}
            own = overridden(config, overrides)
        except UserError as error:
            raise UserError(f"trial {number}: {str(error).removeprefix(f'{OVERRIDE}: ')}") from error
        same = next((trial for trial in trials if trial.config == own), None)
        if same is not None:
            raise UserError(f"trial {number}: {text.strip()}: the same as trial {same.shard.index}; leave one out")
        trials.append(Trial(Shard(number, len(settings)), overrides, own, _label(stated)))
    return trials


def _stated(text: str, trial: str) -> dict[str, str]:
    """The keys and values as they were written."""
    try:
        assignments = shlex.split(text)
    except ValueError as error:
        raise UserError(f"{trial}: {text.strip()}: {error}; write finetune.learning_rate=1e-4") from error
    if not assignments:
        raise UserError(f"{trial}: empty; write what it sets, such as finetune.learning_rate=1e-4")
    stated: dict[str, str] = {}
    for assignment in assignments:
        key, separator, value = assignment.partition("=")
        if not key.startswith(_BLOCK) or key.removeprefix(_BLOCK) not in _NAMES:
            near = difflib.get_close_matches(key.removeprefix(_BLOCK), _NAMES, n=1)
            hint = f"did you mean '{_BLOCK}{near[0]}'?" if near else "a trial sets keys of finetune only"
            raise UserError(f"{trial}: {key}: unknown key; {hint}")
        if not separator:
            raise UserError(f"{trial}: {key}: has no value; write {key}=VALUE")
        if key in stated:
            raise UserError(f"{trial}: {key}: stated twice; leave one out")
        stated[key] = value
    return stated


def _value(text: str, key: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{key}: '{text}' is not YAML; quote it") from error


def _label(stated: dict[str, str]) -> str:
    label = " ".join(f"{key.removeprefix(_BLOCK)}={value}" for key, value in stated.items())
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
