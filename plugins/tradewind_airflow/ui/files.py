"""The files of a run, to look through and to take along; nothing outside of its folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from tradewind_airflow.ui.access import RUNS
from tradewind_airflow.ui.places import DagId, known_run

router = APIRouter()
_MOST = 2000
_TEXT = frozenset({".css", ".csv", ".html", ".jinja", ".js", ".json", ".jsonl", ".log", ".md", ".svg", ".txt", ".yaml"})


@router.get("/api/files", dependencies=[RUNS])
def files(dag_id: DagId, run_id: str, path: str = "") -> dict[str, Any]:
    """What stands in a folder of the run, folders first; work folders, locks and links that lead out are not shown."""
    root = known_run(dag_id, run_id).path
    folder, found = _inside(root, path)
    if not stat.S_ISDIR(found.st_mode):
        raise HTTPException(404, f"{path}: no folder")
    entries = sorted(_entries(root, folder), key=lambda entry: (entry["kind"] != "folder", entry["name"]))
    return {"path": path.strip("/"), "entries": entries[:_MOST], "truncated": len(entries) > _MOST}


@router.get("/api/files/download", dependencies=[RUNS])
def download(dag_id: DagId, run_id: str, path: str) -> FileResponse:
    """A file, never shown in the browser: whatever a model or a document wrote into it."""
    file, found = _inside(known_run(dag_id, run_id).path, path)
    if not stat.S_ISREG(found.st_mode):
        raise HTTPException(404, f"{path}: no file")
    file.open("rb").close()  # a file that may not be read is to be told of before the answer has begun
    return FileResponse(
        file,
        filename=Path(path).name,
        stat_result=found,
        media_type="text/plain; charset=utf-8" if file.suffix in _TEXT else "application/octet-stream",
        headers={"content-encoding": "identity"},  # else Airflow packs it on the way, and its size is not told
    )


def _inside(root: Path, path: str) -> tuple[Path, os.stat_result]:
    """What `path` names below the run's folder; 404 for all else, whether it is there or not."""
    parts = [part for part in path.split("/") if part]
    if path.startswith("/") or any(part.startswith(".") for part in parts):
        raise HTTPException(404, f"{path}: no such file in this run")
    try:
        place = root.joinpath(*parts).resolve(strict=True)
        found = place.stat()
    except (OSError, ValueError, RuntimeError) as error:  # of a NUL, and of links in a circle
        raise HTTPException(404, f"{path}: no such file in this run") from error
    if not _is_shown(root, place):
        raise HTTPException(404, f"{path}: no such file in this run")
    return place, found


def _is_shown(root: Path, place: Path) -> bool:
    return place.is_relative_to(root) and not any(part.startswith(".") for part in place.relative_to(root).parts)


def _entries(root: Path, folder: Path) -> Iterator[dict[str, Any]]:
    for entry in os.scandir(folder):
        try:
            found = entry.stat()
            shown = not entry.is_symlink() or _is_shown(root, Path(entry.path).resolve(strict=True))
        except (OSError, RuntimeError):
            continue  # gone since, or a link that leads nowhere
        is_folder = stat.S_ISDIR(found.st_mode)
        is_plain = is_folder or stat.S_ISREG(found.st_mode)
        if entry.name.startswith(".") or not is_plain or not shown or not _is_text(entry.name):
            continue
        yield {
            "name": entry.name,
            "kind": "folder" if is_folder else "file",
            "bytes": None if is_folder else found.st_size,
            "modified": datetime.fromtimestamp(found.st_mtime, UTC).isoformat(timespec="seconds"),
        }


def _is_text(name: str) -> bool:
    """Whether JSON and an address can hold the name."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
