"""A run: what it was asked to do, and how far each of its stages is."""

from __future__ import annotations

from contextlib import suppress
from itertools import groupby
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, HTTPException

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.recipes import read_config
from tradewind.results import StageResult
from tradewind.run_dir import RunDir
from tradewind.run_settings import RunSettings, read_settings
from tradewind.stages.shards import division_of
from tradewind_airflow.ui.access import RUNS, TASKS, may_edit_tasks
from tradewind_airflow.ui.bucket import is_there
from tradewind_airflow.ui.places import DagId, run_of
from tradewind_airflow.ui.states import (
    STEPS,
    TaskState,
    is_finished,
    run_state,
    seconds_of_all,
    state_of_all,
    task_states,
)

router = APIRouter()
_OUTCOMES = {"success": "made", "cached": "cached", "skipped": "skipped"}


@router.get("/api/run", dependencies=[RUNS, TASKS])
def run(dag_id: DagId, run_id: str, user: GetUserDep) -> dict[str, Any]:
    """The run as its page shows it; without a folder, `run` is null: it is no run of Tradewind, or not begun."""
    found = run_state(dag_id, run_id)
    if found is None:
        raise HTTPException(404, "no such run")
    run_dir = run_of(dag_id, found.run_id)
    settings = _settings(run_dir)
    config = settings.config if settings else _config(run_dir)
    report = _result(run_dir, "report")
    has_report = run_dir is not None and is_there(run_dir.published("report") / "report.html")
    return {
        "dag_id": dag_id,
        "run_id": found.run_id,
        "run": run_dir and run_dir.path.name,
        "state": found.state,
        "recipe": config and config.recipe,
        "data": config and config.data_dir,
        "seed": config and config.seed,
        "skip": settings.skip if settings else (),
        "force": bool(settings and settings.force),
        "stages": _stages(run_dir, task_states(dag_id, found.run_id)),
        "has_report": has_report,
        "report_of": (report and report.source_run) or (run_dir and run_dir.path.name) if has_report else None,
        "may_edit": may_edit_tasks(user, dag_id),
    }


def _settings(run_dir: RunDir | None) -> RunSettings | None:
    with suppress(UserError, OSError):
        return read_settings(run_dir) if run_dir else None
    return None


def _config(run_dir: RunDir | None) -> RunConfig | None:
    """Of a run whose operators were used without `configure`."""
    with suppress(UserError, OSError):
        return read_config(run_dir.config_file) if run_dir else None
    return None


def _result(run_dir: RunDir | None, folder: str) -> StageResult | None:
    with suppress(UserError, OSError):
        return run_dir.result(folder) if run_dir else None
    return None


def _stages(run_dir: RunDir | None, tasks: list[TaskState]) -> list[dict[str, Any]]:
    """In the order in which they run, the parts of a mapped task as one; none where it is no run of Tradewind."""
    if run_dir is None and not any(task.is_ours for task in tasks):
        return []
    ours = [(STEPS.index(task.step), task.task_id, task) for task in tasks if task.step]
    ours.sort(key=lambda entry: entry[:2])
    return [
        _stage(run_dir, STEPS[step], task_id, [task for *_, task in parts])
        for (step, task_id), parts in groupby(ours, key=lambda entry: entry[:2])
    ]


def _stage(run_dir: RunDir | None, step: str, task_id: str, parts: list[TaskState]) -> dict[str, Any]:
    state = state_of_all(parts)
    # What stands there while the task goes on, or after it failed, is an earlier try's.
    results = _results(run_dir, step) if state in ("success", "skipped") else []
    outcomes = {_OUTCOMES[result.status] for result in results}
    first = results[0] if results else None
    return {
        "stage": step,
        "task_id": task_id,
        "state": state,
        "outcome": "made" if "made" in outcomes else first and _OUTCOMES[first.status],
        "source_run": first and first.source_run,
        "reason": first and first.reason,
        "seconds": seconds_of_all(parts),
        "skippable": not is_finished(state),
    }


def _results(run_dir: RunDir | None, step: str) -> list[StageResult]:
    if run_dir is None or step == "register":
        return []
    folders = [step]
    if step == "extract":
        with suppress(UserError, OSError):
            folders = [shard.folder(step) for shard in division_of(run_dir)]
    return [result for folder in folders if (result := _result(run_dir, folder))]
