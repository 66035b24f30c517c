"""Airflow's home and database, the schedule, and the pool of GPUs."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tradewind.doctor.check import Finding, failure, not_needed, ok, warning
from tradewind.doctor.child import told_by
from tradewind.doctor.subject import Subject
from tradewind.errors import UserError
from tradewind.files import path_of
from tradewind_airflow.gpus import POOL_VARIABLE, TASK_VARIABLE, inventory, task_gpus

LIMIT = 60.0
"""Seconds: Airflow is slow to import, and a database may be far."""
_LOCAL = Path(".tradewind/airflow")


def look_at_airflow(subject: Subject) -> Finding:
    """Its home is there, and its database can be reached and is of this version."""
    told = _state(subject)
    if isinstance(told, Finding):
        return told
    if told["fault"]:
        return failure(
            f"Airflow {told['version']} in {told['home']}: its database cannot be asked ({told['fault']})",
            "see [database] sql_alchemy_conn in its settings, and that the database runs",
        )
    if not told["migrated"]:
        return failure(f"the database of {told['home']} is not of Airflow {told['version']}", "airflow db migrate")
    return ok(f"{told['version']} in {told['home']}, {told['executor']}, {told['database']}")


def look_at_schedule(subject: Subject) -> Finding:
    """When `trade_qa` runs by itself, read as the DAG file reads it: the zone must be known on this machine."""
    told = _state(subject)
    if isinstance(told, Finding):
        return told
    if told["schedule_fault"]:
        what, _, to_do = str(told["schedule_fault"]).partition("; ")
        return failure(what, to_do)
    return ok(str(told["schedule"]))


def look_at_pool(subject: Subject) -> Finding:
    """The pool that keeps tasks with GPUs waiting has a slot for each GPU, and tasks ask for no more than there are."""
    gpus, wanted = len(inventory()), task_gpus()
    if wanted > gpus:
        return failure(f"{TASK_VARIABLE} is {wanted}, and this host has {gpus}", "lower it, or list TRADEWIND_GPUS")
    if subject.wants_gpu() and gpus and not wanted:
        return warning(f"{gpus} GPUs, and no task takes any", f"set {TASK_VARIABLE}=1; make run and make up do")
    name = os.environ.get(POOL_VARIABLE)
    if not name:
        return not_needed(f"{POOL_VARIABLE} names none")
    told = _state(subject)
    if isinstance(told, Finding):
        return told
    if told["fault"]:
        return warning(f"whether '{name}' is there cannot be told", "see the check of airflow")
    return _pool(name, told["slots"], gpus)


def _pool(name: str, slots: int | None, gpus: int) -> Finding:
    make = f'airflow pools set {name} {gpus} "a slot for each GPU"'
    if slots is None:
        return failure(f"there is no pool '{name}': its tasks would wait for ever", make)
    if slots != gpus:
        return warning(f"'{name}' has {slots} slots, and this host {gpus} GPUs", make)
    return ok(f"'{name}' has {slots} slots, one for each GPU")


def _state(subject: Subject) -> Finding | dict[str, Any]:
    """What Airflow in a process of its own says; a finding where there is no Airflow to ask."""
    try:
        importlib.metadata.version("apache-airflow")
    except importlib.metadata.PackageNotFoundError:
        return not_needed("Airflow is not installed here")
    environment = _environment()
    home = path_of(environment.get("AIRFLOW_HOME") or "~/airflow")
    if not home.is_dir():  # to ask Airflow would make it
        return not_needed(f"no home of Airflow at {home}; make run makes one")
    try:
        return subject.once("airflow", lambda: _asked(environment))
    except UserError as error:
        return failure(f"Airflow in {home}: {str(error).partition('; ')[0]}", "airflow info says more")


def _asked(environment: Mapping[str, str]) -> dict[str, Any]:
    return told_by("tradewind_airflow.doctor.state", LIMIT, module=True, environment=environment)


def _environment() -> dict[str, str]:
    """This process's own, or that of `make run` where its Airflow is in this folder and no other is named."""
    if "AIRFLOW_HOME" in os.environ or not _LOCAL.is_dir():
        return dict(os.environ)
    from tradewind_airflow.local.home import LocalHome

    return LocalHome(Path.cwd()).environment(0)
