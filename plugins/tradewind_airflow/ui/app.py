"""The application, made once in the API server: its imports are Airflow's security and database."""

from __future__ import annotations

from pathlib import Path

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from tradewind_airflow.ui import compare, files, models, pages, pipelines, progress, report, run
from tradewind_airflow.ui.access import LOGIN, has_no_nul
from tradewind_airflow.ui.headers import SafeHeaders


def create_app() -> FastAPI:
    """All routes, each behind Airflow's login and its own permission; none that changes anything."""
    app = FastAPI(
        title="Tradewind", dependencies=[LOGIN, Depends(has_no_nul)], openapi_url=None, docs_url=None, redoc_url=None
    )
    for part in (pages, pipelines, models, compare, run, report, files, progress):
        app.include_router(part.router)
    app.add_middleware(SafeHeaders)
    app.add_exception_handler(RequestValidationError, _in_one_line)
    app.add_exception_handler(PermissionError, _unreadable)
    return app


async def _in_one_line(request: Request, error: Exception) -> JSONResponse:
    """What is wrong with a parameter, as `detail` like all other errors."""
    del request
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
    return JSONResponse({"detail": f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}"}, status_code=422)


async def _unreadable(request: Request, error: Exception) -> JSONResponse:
    """Of a file that the workers wrote for themselves alone."""
    del request
    name = Path(error.filename).name if isinstance(error, PermissionError) and error.filename else "a file"
    return JSONResponse({"detail": f"{name}: may not be read by the API server's user"}, status_code=404)
