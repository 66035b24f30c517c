"""A run's report, as the page shows it in a frame of its own."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from tradewind_airflow.ui.access import RUNS
from tradewind_airflow.ui.headers import REPORT
from tradewind_airflow.ui.places import DagId, known_run

router = APIRouter()


@router.get("/api/report", dependencies=[RUNS])
def report(dag_id: DagId, run_id: str) -> FileResponse:
    """`report.html`, which the browser may draw and nothing else."""
    path = known_run(dag_id, run_id).published("report") / "report.html"
    if not path.is_file():
        raise HTTPException(404, "there is no report yet")
    return FileResponse(path, headers={"content-security-policy": REPORT})
