"""Which stages before a task were skipped from outside: by a button, that is by Airflow's REST API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tradewind.run_dir import RunDir
from tradewind.stages import Stage

if TYPE_CHECKING:
    from airflow.sdk import Context

_SKIPPED = "skipped"


def skipped_stages(context: Context, run_dir: RunDir) -> set[Stage] | None:
    """The stages whose tasks Airflow knows as skipped, but for those that had nothing to do and said so themselves.

    None where there is no DAG to ask.
    """
    ti, dag = context["ti"], context.get("dag")
    if dag is None:
        return None
    states = ti.get_task_states(ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    found: set[Stage] = set()
    for task in dag.tasks:
        stage = _stage_of(task)
        if stage is not None and _is_skipped(task, states) and not _had_nothing_to_do(stage, run_dir):
            found.add(stage)
    return found


def _stage_of(task: Any) -> Stage | None:
    # Of one that is mapped only class and arguments are known.
    found, name = (task.operator_class, "mapped_stage") if task.is_mapped else (task, "stage")
    stage: Stage | None = getattr(found, name, None)
    return stage


def _is_skipped(task: Any, states: dict[str, Any]) -> bool:
    """A mapped task's instances are named `extract_2`; one that is skipped as a whole has the task's own name."""
    instance = re.compile(rf"{re.escape(task.task_id)}_\d+")
    names = [task.task_id] + ([key for key in states if instance.fullmatch(key)] if task.is_mapped else [])
    return any(str(states.get(name)) == _SKIPPED for name in names)


def _had_nothing_to_do(stage: Stage, run_dir: RunDir) -> bool:
    return run_dir.result_file(stage).is_file() and run_dir.result(stage).is_left_out
