"""The scores of all of a pipeline's runs, and which of them is in use."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from fastapi import APIRouter, Response

from tradewind.errors import UserError
from tradewind.file_memo import FileMemo
from tradewind.registry.store import Registry, models_path
from tradewind.registry.version import RECORD, VersionRecord
from tradewind.reporting.history import RunHistory, ScoredRun
from tradewind.run_dir import run_slug
from tradewind.scores import METRIC_NAMES
from tradewind_airflow.macros import home
from tradewind_airflow.ui.access import RUNS
from tradewind_airflow.ui.bucket import refresh
from tradewind_airflow.ui.places import DagId, runs_of
from tradewind_airflow.ui.states import run_ids

log = logging.getLogger(__name__)
router = APIRouter()
_history = RunHistory()
_records = FileMemo(lambda path: VersionRecord.model_validate_json(path.read_bytes()))


@router.get("/api/models", dependencies=[RUNS])
def models(dag_id: DagId) -> Response:
    """Every run that has scores, the oldest first."""
    refresh(dag_id)
    runs = _history.of(runs_of(dag_id))
    champion, versions = _versions(Registry(models_path(home(), dag_id)))
    ids = {run_slug(run_id): run_id for run_id in run_ids(dag_id)}
    body = {
        "dag_id": dag_id,
        "champion": champion,
        "groups": _groups(runs),
        "runs": [_run(run, ids.get(run.run), versions.get(run.run), champion) for run in runs],
    }
    return Response(msgspec.json.encode(body), media_type="application/json")  # a thousand runs are half a megabyte


def _versions(registry: Registry) -> tuple[str | None, dict[str, str]]:
    """The champion's name, and of each run that became a version the name: of several the champion's or the last."""
    champion = None
    try:
        champion = registry.champion_name()
    except UserError as error:
        log.warning("%s", error)
    found: dict[str, str] = {}
    for name in registry.names():
        try:
            record = _records.get(registry.path / "versions" / name / RECORD)
        except OSError:
            continue
        if record and found.get(record.run) != champion:
            found[record.run] = name
    return champion, found


def _groups(runs: list[ScoredRun]) -> list[dict[str, Any]]:
    """Each headline metric that a run has, in the order of the newest report that has it."""
    found = dict.fromkeys(
        (group.kind, group.language, group.metric) for run in reversed(runs) for group in run.summary.groups
    )
    return [
        {"kind": kind, "language": language, "metric": metric, "metric_name": METRIC_NAMES.get(metric, metric)}
        for kind, language, metric in found
    ]


def _run(run: ScoredRun, run_id: str | None, version: str | None, champion: str | None) -> dict[str, Any]:
    summary = run.summary
    return {
        "run": run.run,
        "run_id": run_id,
        "finished_at": run.finished_at,
        "recipe": summary.recipe,
        "model": summary.model,
        "seed": summary.seed,
        "verdict": summary.verdict,
        "verdict_reason": summary.verdict_reason,
        "version": version,
        "is_champion": version is not None and version == champion,
        "nothing_new_since": run.nothing_new_since,
        "scores": [group.model_dump() for group in summary.groups],
    }
