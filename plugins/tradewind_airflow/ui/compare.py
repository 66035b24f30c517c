"""Two runs' answers to the same questions, as `tradewind compare` tells them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException

from tradewind.errors import UserError
from tradewind_airflow.ui.access import RUNS
from tradewind_airflow.ui.places import DagId, Slug, run_named, runs_of

router = APIRouter()
_MODEL = "tuned"


@router.get("/api/compare", dependencies=[RUNS])
def compare(dag_id: DagId, first: Slug, second: Slug) -> dict[str, Any]:
    """The table of `tradewind compare`; 409 with the reason where the two cannot be compared."""
    from tradewind.compare_runs import compare_runs  # numpy and scipy, for this route only
    from tradewind.reporting.notes import many_tests, notes
    from tradewind.reporting.table import header, score_rows

    paths = run_named(dag_id, first), run_named(dag_id, second)
    try:
        scores = compare_runs(*paths, _MODEL)
    except UserError as error:
        # The page's readers know a run by its name, and need not know where the server keeps it.
        raise HTTPException(409, str(error).replace(f"{runs_of(dag_id).resolve()}/", "")) from error
    named = {"base": "first", "tuned": "second"}
    return {
        "first": first,
        "second": second,
        "model": _MODEL,
        "verdict": scores.verdict,
        "verdict_reason": scores.verdict_reason,
        "columns": header(scores, named),
        "rows": [row.cells() for row in score_rows(scores)],
        "notes": [*notes(scores), many_tests(scores, named)],
    }
