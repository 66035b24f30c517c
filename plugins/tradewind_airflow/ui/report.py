"""A run's report, as the page shows it in a frame of its own."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException

from tradewind_airflow.ui.access import RUNS
from tradewind_airflow.ui.bucket import bring
from tradewind_airflow.ui.headers import REPORT
from tradewind_airflow.ui.inside import OpenedFile, open_inside
from tradewind_airflow.ui.places import DagId, known_run

router = APIRouter()


@router.get("/api/report", dependencies=[RUNS])
def report(dag_id: DagId, run_id: str) -> OpenedFile:
    """`report.html`, which the browser may draw and nothing else."""
    root = known_run(dag_id, run_id).path
    bring(root, "report/report.html")
    file = open_inside(root, "report/report.html")
    if file is None:
        raise HTTPException(404, "there is no report yet")
    return OpenedFile(file, media_type="text/html", headers={"content-security-policy": REPORT})
