"""Which pipelines there are."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends

from tradewind_airflow.macros import home
from tradewind_airflow.ui.access import may_read_runs, reads_any_runs
from tradewind_airflow.ui.bucket import refresh_all
from tradewind_airflow.ui.places import is_dag_id

router = APIRouter()


@router.get("/api/pipelines", dependencies=[Depends(reads_any_runs)])
def pipelines(user: GetUserDep) -> dict[str, Any]:
    """The DAGs that have runs of Tradewind and whose runs the user may read."""
    refresh_all()
    folder = home() / "runs"
    there = folder.iterdir() if folder.is_dir() else ()
    found = sorted(path for path in there if is_dag_id(path.name) and path.is_dir())
    return {
        "pipelines": [
            {"dag_id": path.name, "runs": sum(1 for _ in path.iterdir())}
            for path in found
            if may_read_runs(user, path.name)
        ]
    }
