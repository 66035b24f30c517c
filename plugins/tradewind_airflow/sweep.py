"""A sweep's form, and how many of its trials run at once."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import Param

from tradewind.errors import UserError
from tradewind.stages import SKIPPABLE
from tradewind.sweep.trials import FEWEST, MOST
from tradewind_airflow.gpus import gpu_pool, inventory
from tradewind_airflow.params import run_params

PARALLEL_VARIABLE = "TRADEWIND_SWEEP_PARALLEL"
_MOST_PARALLEL = 1000


def sweep_params() -> dict[str, Param]:
    """The pipeline's form with the settings to try; what it says of fine-tuning holds for each of them."""
    form = run_params()
    settings = Param(
        ["finetune.learning_rate=1e-4", "finetune.learning_rate=3e-4"],
        type="array",
        items={"type": "string", "minLength": 1},
        minItems=FEWEST,
        maxItems=MOST,
        title="Settings to try",
        section="Sweep",
        description="One trial a line: keys below `finetune.` with their values, such as "
        "`finetune.learning_rate=1e-4 finetune.lora.r=32`.",
    )
    stages = [name for name in SKIPPABLE if name != "finetune"]  # the trials are that stage
    form["skip"].schema |= {"items": {"type": "string", "enum": stages}, "examples": stages}
    return {"settings": settings, **form}


def mapped_trials(gpus: int) -> dict[str, Any]:
    """What Airflow must know of a mapped task before any of them is made: how many at once, where, and after what.

    Args:
        gpus: how many each of them has for itself.
    """
    return {
        "max_active_tis_per_dagrun": trials_at_once(gpus),
        "map_index_template": "{{ trial }}",
        "trigger_rule": "none_failed",  # adaptation may be turned off
        **gpu_pool(gpus),
    }


def trials_at_once(gpus: int) -> int:
    """How many trials of one sweep may run beside each other: as many as get their GPUs, without GPUs one.

    Args:
        gpus: how many each of them has for itself.

    Raises:
        UserError: `TRADEWIND_SWEEP_PARALLEL` is no such number.
    """
    stated = (os.environ.get(PARALLEL_VARIABLE) or "").strip()
    if not stated:
        return max(1, len(inventory()) // gpus) if gpus else 1
    if not (stated.isascii() and stated.isdigit() and 1 <= int(stated) <= _MOST_PARALLEL):
        raise UserError(f"{PARALLEL_VARIABLE}: '{stated}' is not a whole number from 1 to {_MOST_PARALLEL}")
    return int(stated)
