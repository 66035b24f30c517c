"""The pages themselves: files of the package, without any data."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import FileResponse

from tradewind_airflow.ui.access import reads_any_runs, reads_what_it_shows
from tradewind_airflow.ui.headers import PAGE

router = APIRouter()
_STATIC = Path(__file__).parent / "static"
# Looked up in this, a name cannot lead anywhere else.
_FILES = {path.relative_to(_STATIC).as_posix(): path for path in _STATIC.rglob("*") if path.is_file()}
_REVALIDATE = {"cache-control": "no-cache"}


@router.get("/pages/{page}", dependencies=[Depends(reads_what_it_shows)])
def page(page: Literal["models", "report", "files", "progress"]) -> FileResponse:
    """One of the pages; what it shows it asks for itself."""
    return _file(f"{page}.html", {"content-security-policy": PAGE})


@router.get("/static/{name:path}", dependencies=[Depends(reads_any_runs)])
def static(name: str) -> FileResponse:
    """A script, style or picture of the pages."""
    return _file(name, {})


def _file(name: str, headers: dict[str, str]) -> FileResponse:
    if name not in _FILES:
        raise HTTPException(404, "no such file")
    return FileResponse(_FILES[name], headers=_REVALIDATE | headers)
