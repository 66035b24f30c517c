"""How far a training is, from what it writes while it runs and from what it published."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter, HTTPException, Response

from tradewind.errors import UserError
from tradewind.progress import CURVE, PROGRESS, read_curve, read_progress
from tradewind.run_dir import RunDir
from tradewind.shard import WHOLE, Shard
from tradewind.stages import TRAININGS
from tradewind_airflow.ui.access import TASKS
from tradewind_airflow.ui.bucket import bring
from tradewind_airflow.ui.places import DagId, run_of
from tradewind_airflow.ui.states import run_state, task_states

router = APIRouter()

_POINTS = 1000


@router.get("/api/progress", dependencies=[TASKS])
def progress(dag_id: DagId, run_id: str, task_id: str, map_index: str = "") -> Response:
    """A training's loss curve and pace; `training` is false for a task that trains nothing.

    Args:
        map_index: of an unmapped task whatever is no number: Airflow's page then leaves `{MAP_INDEX}` as it is.
    """
    found = run_state(dag_id, run_id)
    tasks = task_states(dag_id, found.run_id, task_id) if found else []
    index = int(map_index) if map_index.isdecimal() else -1
    task = next((task for task in tasks if task.map_index == index), None)
    if found is None or task is None:
        raise HTTPException(404, "no such task in this run")
    run_dir = run_of(dag_id, found.run_id)
    body: dict[str, Any] = {"state": task.state, "training": False, "progress": None, "curve": [], "metrics": None}
    if run_dir is not None and task.step in TRAININGS:
        trial = Shard(index + 1, len(tasks)) if index >= 0 else WHOLE
        body |= {"training": True} | _of_training(run_dir, trial.folder(task.step), task.state)
    return Response(msgspec.json.encode(body), media_type="application/json")  # which knows no NaN: it says null


def _of_training(run_dir: RunDir, name: str, state: str | None) -> dict[str, Any]:
    if state not in ("success", "skipped"):  # what is published then is an earlier try's
        folder, curve = run_dir.work(name), CURVE
        metrics = None
    else:
        folder, curve = run_dir.published(name), "log.jsonl"
        bring(run_dir.path, f"{name}/{curve}")
        metrics = _metrics(run_dir, name)
    found = read_progress(folder)
    return {
        "progress": found and found.model_dump(),
        "silent_seconds": found and _seconds_since(folder / PROGRESS),
        "curve": _thinned(read_curve(folder / curve, _POINTS)),
        "metrics": metrics,
    }


def _seconds_since(file: Path) -> float | None:
    """By this server's clock: the reader's may be wrong by minutes."""
    with suppress(OSError):
        return round(max(time.time() - file.stat().st_mtime, 0.0), 1)
    return None


def _metrics(run_dir: RunDir, name: str) -> dict[str, Any] | None:
    try:
        return run_dir.result(name).metrics
    except (UserError, OSError):
        return None


def _thinned(curve: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """No more points than a plot can show, the last always among them."""
    every = -(-len(curve) // _POINTS)
    return curve[::-1][::every][::-1] if every > 1 else curve
