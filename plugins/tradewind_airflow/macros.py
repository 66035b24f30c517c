"""Where runs and models are on the worker's disk."""

from __future__ import annotations

import os
from pathlib import Path

from tradewind.registry.store import models_path
from tradewind.run_dir import run_path
from tradewind.store.address import home_of

HOME_VARIABLE = "TRADEWIND_HOME"


def home() -> Path:
    """The folder of all runs and models: `$TRADEWIND_HOME`, or `tradewind` below Airflow's own home.

    Where the variable names a bucket, the folder of its content on this machine.
    """
    stated = os.environ.get(HOME_VARIABLE)
    if stated:
        return home_of(stated)
    return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "tradewind"


def run_dir(dag_id: str, run_id: str) -> str:
    """The folder of one run; in a template: `{{ macros.tradewind.run_dir(dag.dag_id, run_id) }}`."""
    return str(run_path(home(), dag_id, run_id))


def models_dir(dag_id: str) -> str:
    """The folder of a pipeline's models; in a template: `{{ macros.tradewind.models_dir(dag.dag_id) }}`."""
    return str(models_path(home(), dag_id))
