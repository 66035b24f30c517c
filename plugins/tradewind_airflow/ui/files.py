"""The files of a run, to look through and to take along; nothing outside of its folder."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException

from tradewind.store.manifest import StoredFile
from tradewind_airflow.ui.access import RUNS
from tradewind_airflow.ui.bucket import absent, bring
from tradewind_airflow.ui.inside import OpenedFile, folder_inside, is_shown, open_inside
from tradewind_airflow.ui.places import DagId, known_run

router = APIRouter()
_MOST = 2000
_TEXT = frozenset({".css", ".csv", ".html", ".jinja", ".js", ".json", ".jsonl", ".log", ".md", ".svg", ".txt", ".yaml"})


@router.get("/api/files", dependencies=[RUNS])
def files(dag_id: DagId, run_id: str, path: str = "") -> dict[str, Any]:
    """What stands in a folder of the run, folders first; work folders, locks and links that lead out are not shown."""
    root = known_run(dag_id, run_id).path
    with folder_inside(root, path) as folder:
        if folder is None:
            raise HTTPException(404, f"{path}: no such folder in this run")
        found = _entries(root, *folder)
        found += [_elsewhere(name, file) for name, file in absent(folder[0])]
    found.sort(key=lambda entry: (entry["kind"] != "folder", entry["name"]))
    return {"path": path.strip("/"), "entries": found[:_MOST], "truncated": len(found) > _MOST}


@router.get("/api/files/download", dependencies=[RUNS])
def download(dag_id: DagId, run_id: str, path: str) -> OpenedFile:
    """A file, never shown in the browser: whatever a model or a document wrote into it."""
    root = known_run(dag_id, run_id).path
    bring(root, path)
    file = open_inside(root, path)
    if file is None:
        raise HTTPException(404, f"{path}: no such file in this run")
    return OpenedFile(
        file,
        filename=Path(path).name,
        media_type="text/plain; charset=utf-8" if Path(path).suffix in _TEXT else "application/octet-stream",
        headers={"content-encoding": "identity"},  # else Airflow packs it on the way, and its size is not told
    )


def _entries(root: Path, folder: Path, opened: int) -> list[dict[str, Any]]:
    with os.scandir(opened) as entries:
        return [entry for found in entries if (entry := _entry(root, folder, found))]


def _elsewhere(name: str, file: StoredFile) -> dict[str, Any]:
    """A file that is in the bucket, and comes when it is downloaded."""
    modified = datetime.fromtimestamp(file.mtime_ns / 1e9, UTC).isoformat(timespec="seconds")
    return {"name": name, "kind": "file", "bytes": file.bytes, "modified": modified}


def _entry(root: Path, folder: Path, entry: os.DirEntry[str]) -> dict[str, Any] | None:
    try:
        found = entry.stat()
        shown = not entry.is_symlink() or is_shown(root, (folder / entry.name).resolve(strict=True))
    except (OSError, RuntimeError):
        return None  # gone since, or a link that leads nowhere
    is_folder = stat.S_ISDIR(found.st_mode)
    is_plain = is_folder or stat.S_ISREG(found.st_mode)
    if entry.name.startswith(".") or not is_plain or not shown or not _is_text(entry.name):
        return None
    return {
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
