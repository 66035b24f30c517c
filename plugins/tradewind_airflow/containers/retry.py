"""Whether a task that is told to end is over, or only its worker is."""

from __future__ import annotations

import logging
from typing import Any

log = logging.getLogger("tradewind_airflow")
# Cleared it would be restarting, marked failed or skipped.
_GOES_ON = ("running", "up_for_retry")


def retry_follows(ti: Any) -> bool:
    """Ask Airflow, through the task's supervisor, whether this task still counts as running and has a retry left."""
    if not hasattr(ti, "get_task_states") or ti.try_number > (ti.max_tries or 0):
        return False
    try:
        states = ti.get_task_states(
            dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody answers
        log.warning("Airflow does not answer (%s): taken as the loss of the worker", type(error).__name__)
        return True
    return any(state in _GOES_ON for state in states.get(ti.run_id, {}).values())
