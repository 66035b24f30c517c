"""Addresses in Airflow's page; None where no base address is configured."""

from __future__ import annotations

import re
from urllib.parse import quote

from airflow.sdk.configuration import conf

_STAMPED = re.compile(r"(\w+)__(\d{4}-\d\d-\d\d)T(\d\d)[:-](\d\d)")


def run_link(dag_id: str, run_id: str) -> str | None:
    """The run's page."""
    base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    return f"{base}/dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}" if base else None


def task_link(
    dag_id: str, run_id: str, task_id: str, map_index: int | None = None, try_number: int | None = None
) -> str | None:
    """The task's log."""
    run = run_link(dag_id, run_id)
    mapped = "" if map_index is None else f"/mapped/{map_index}"
    tried = f"?try_number={try_number}" if try_number else ""
    return f"{run}/tasks/{quote(task_id)}{mapped}{tried}" if run else None


def action_link(dag_id: str, run_id: str, task_id: str) -> str | None:
    """Where somebody approves or rejects."""
    run = run_link(dag_id, run_id)
    return f"{run}/tasks/{quote(task_id)}/required_actions?map_index=-1" if run else None


def run_name(run_id: str) -> str:
    """A run's id, or its folder's name, as a person would say it."""
    found = _STAMPED.match(run_id)
    return f"{found[2]} {found[3]}:{found[4]} UTC" if found else run_id
