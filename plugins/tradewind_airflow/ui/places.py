"""Which run a request is about, and where its folder is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from fastapi import HTTPException
from pydantic import AfterValidator

from tradewind.run_dir import RunDir, run_path
from tradewind_airflow.macros import home
from tradewind_airflow.ui.bucket import refresh

_DAG_ID = re.compile(r"(?=.*[^.])[\w.-]{1,250}")  # Airflow's own rule, without what names another folder
_SLUG = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,120}")


def is_dag_id(name: str) -> bool:
    """Whether a DAG may be called so."""
    return bool(_DAG_ID.fullmatch(name))


def _checked_dag_id(dag_id: str) -> str:
    if not is_dag_id(dag_id):
        raise HTTPException(404, "no such DAG")
    return dag_id


def _checked_slug(run: str) -> str:
    if not _SLUG.fullmatch(run):
        raise HTTPException(404, "no such run")
    return run


DagId = Annotated[str, AfterValidator(_checked_dag_id)]
Slug = Annotated[str, AfterValidator(_checked_slug)]
"""The name of a run's folder."""


def runs_of(dag_id: str) -> Path:
    """The folder of a pipeline's runs."""
    return home() / "runs" / dag_id


def spellings(run_id: str) -> tuple[str, ...]:
    """A run id, and what it was if its `+` came unencoded: few run ids hold a space, Airflow's own never do."""
    return tuple(dict.fromkeys((run_id, run_id.replace(" ", "+"))))


def run_of(dag_id: str, run_id: str) -> RunDir | None:
    """The run's folder; None where Tradewind made none."""
    refresh(dag_id)
    for spelling in spellings(run_id):
        if spelling and (path := run_path(home(), dag_id, spelling)).is_dir():
            return RunDir(path)
    return None


def known_run(dag_id: str, run_id: str) -> RunDir:
    """The run's folder; 404 where Tradewind made none."""
    found = run_of(dag_id, run_id)
    if found is None:
        raise HTTPException(404, "no run of Tradewind: it has no folder on this server")
    return found


def run_named(dag_id: str, slug: str) -> Path:
    """The folder of that name; 404 where there is none."""
    refresh(dag_id)
    path = runs_of(dag_id) / slug
    if not path.is_dir():
        raise HTTPException(404, f"no run '{slug}' of {dag_id}")
    return path
