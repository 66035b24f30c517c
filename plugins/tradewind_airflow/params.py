"""The trigger form: what a run may be asked to do, and the settings that follow from it."""

from __future__ import annotations

import copy
import difflib
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError

from tradewind.errors import UserError
from tradewind.recipes import shipped_recipes
from tradewind.stages import SKIPPABLE

_DATA, _TRAINING, _RUN, _TELLING = "Model and data", "Training", "This run", "Telling"
_SETTINGS = {
    "epochs": "finetune.num_train_epochs",
    "learning_rate": "finetune.learning_rate",
    "lora_rank": "finetune.lora.r",
    "limit": "data.max_records",
}
"""Fields that stand for one setting of the recipe; an empty one leaves it as it is."""
_APPROVAL = {"yes": True, "no": False}


def run_params() -> dict[str, Param]:
    """The form's fields; a scheduled run takes their defaults, which the deployment's environment may name."""
    return {
        "recipe": Param(
            os.environ.get("TRADEWIND_RECIPE") or "tiny",
            type="string",
            minLength=1,
            title="Recipe",
            section=_DATA,
            examples=shipped_recipes(),
            description="A shipped recipe, or the path of your own .yaml on the worker.",
        ),
        "data": Param(
            os.environ.get("TRADEWIND_DATA") or "embedded:en",
            type="string",
            minLength=1,
            title="Documents",
            section=_DATA,
            examples=["embedded:en", "embedded:ko"],
            description="The folder of your documents on the worker, or one of the samples.",
        ),
        "limit": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Limit of rows",
            section=_DATA,
            description="Read at most so many records of each kind of source, for a trial. Empty: all.",
        ),
        "seed": Param(
            42,
            type="integer",
            minimum=0,
            maximum=2**32 - 1,
            title="Seed",
            section=_TRAINING,
            description="Of split, training and bootstrap; the same seed gives the same run.",
        ),
        "epochs": Param(
            None,
            type=["null", "number"],
            minimum=0.01,
            maximum=1000,
            title="Epochs",
            section=_TRAINING,
            description="How often fine-tuning goes over the pairs. Empty: as the recipe says.",
        ),
        "learning_rate": Param(
            None,
            type=["null", "number"],
            minimum=1e-8,
            maximum=0.1,
            title="Learning rate",
            section=_TRAINING,
            description="Of fine-tuning, such as 0.0002. Empty: as the recipe says.",
        ),
        "lora_rank": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=1024,
            title="LoRA rank",
            section=_TRAINING,
            description="Of fine-tuning's adapter: more can learn more and needs more memory. "
            "Empty: as the recipe says.",
        ),
        "skip": Param(
            [],
            type="array",
            items={"type": "string", "enum": list(SKIPPABLE)},
            examples=list(SKIPPABLE),
            title="Skip",
            section=_RUN,
            description="Stages to leave out; what comes after them uses their newest result that fits.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Make everything anew",
            section=_RUN,
            description="Ignore results of earlier runs, also where nothing has changed since.",
        ),
        "approval": Param(
            None,
            type=["null", "string"],
            enum=[None, *_APPROVAL],
            values_display={"null": "as the recipe says", "yes": "yes", "no": "no"},
            title="Approval",
            section=_RUN,
            description="Whether a human has to approve what the gate lets through before it becomes champion.",
        ),
        "slack_channel": Param(
            os.environ.get("TRADEWIND_SLACK_CHANNEL") or "#tradewind",
            type="string",
            minLength=1,
            title="Slack channel",
            section=_TELLING,
            description="Where start, result and failure are told.",
        ),
    }


def stated_settings(params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the form states, by dotted key; those it leaves to the recipe are absent."""
    stated = {key: params[name] for name, key in _SETTINGS.items() if params.get(name) is not None}
    if params.get("approval") is not None:
        stated["gate.approval"] = _APPROVAL[params["approval"]]
    return stated


def check_conf(conf: Mapping[str, Any], form: ParamsDict) -> None:
    """What a run was triggered with, against the form.

    Airflow takes unknown keys without a word, and may be told to leave out its own check of the others.

    Raises:
        UserError: one line that names the key, and the nearest one that there is.
    """
    for name, value in conf.items():
        if name not in form:
            raise UserError(f"conf: {name}: unknown key; {_nearest(name, list(form))}")
        if isinstance(value, float) and math.isnan(value):  # within every range
            raise UserError(f"conf: {name}: {value} is no number; write one, or leave the field out")
        try:
            copy.copy(form.get_param(name)).resolve(value)
        except ParamValidationError as error:
            raise UserError(_out_of_range(name, value, error)) from None


def _out_of_range(name: str, value: Any, error: ParamValidationError) -> str:
    fault = error.args[0]  # of jsonschema, whose own text is a page
    message = getattr(fault, "message", str(fault)).splitlines()[0]
    allowed = getattr(fault, "validator_value", None)
    if getattr(fault, "validator", None) == "enum" and isinstance(allowed, Sequence):
        return f"conf: {name}: unknown value {fault.instance!r}; {_nearest(str(fault.instance), allowed)}"
    return f"conf: {name}: {message} (got {value!r})"


def _nearest(given: str, known: Sequence[Any]) -> str:
    names = [str(name) for name in known if name is not None]
    near = difflib.get_close_matches(given, names, n=1)
    return f"did you mean '{near[0]}'?" if near else f"there are {', '.join(names) or 'none'}"
