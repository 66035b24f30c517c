"""Whether a task that is told to end is over, or only its worker is."""

from __future__ import annotations

import logging
from typing import Any

log = logging.getLogger("tradewind_airflow")
# Cleared by a person, or marked. All else, "no state" too, is a task that Airflow means to run on or again: so it
# looks when a new scheduler took an old one's tasks for lost while their processes live.
_OVER = ("restarting", "failed", "upstream_failed", "skipped", "success", "removed")


def has_retry(ti: Any) -> bool:
    """Whether this is not the task's last try."""
    return bool(ti.try_number <= (getattr(ti, "max_tries", 0) or 0))


def retry_follows(ti: Any) -> bool:
    """Ask Airflow, through the task's supervisor, whether this task is to go on and has a retry left."""
    if not hasattr(ti, "get_task_states") or not has_retry(ti):
        return False
    try:
        states = ti.get_task_states(
            dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody answers
        log.warning("Airflow does not answer (%s): taken as the loss of the worker", type(error).__name__)
        return True
    found = states.get(ti.run_id, {})
    return bool(found) and not any(state in _OVER for state in found.values())
