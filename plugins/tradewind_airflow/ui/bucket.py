"""What the pages need of a home in a bucket: its small files every few seconds, a large one when it is asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import HTTPException

from tradewind.errors import UserError
from tradewind.faults import told_to_user
from tradewind.registry.store import Registry, models_path
from tradewind.store.manifest import StoredFile
from tradewind.store.mirror import mirror_of
from tradewind_airflow.macros import home

_FRESH = 10.0
"""Seconds: the pages ask more often while a run goes on."""
_lock = threading.Lock()
_asked: dict[tuple[Path, str], tuple[float, HTTPException | None]] = {}


def refresh(dag_id: str) -> None:
    """Have here what the workers published of a pipeline; 503 with the reason where that cannot be had."""

    def all_of_it(root: Path) -> None:
        mirror = mirror_of(root)
        if mirror is not None:
            mirror.refresh(f"runs/{dag_id}")
            Registry(models_path(root, dag_id)).refresh()

    _seldom(dag_id, all_of_it)


def refresh_all() -> None:
    """The same of all pipelines' runs."""

    def all_of_it(root: Path) -> None:
        mirror = mirror_of(root)
        if mirror is not None:
            mirror.refresh("runs")

    _seldom("", all_of_it)


def bring(root: Path, path: str) -> None:
    """Have a file of a run here, if it was published and is in the bucket only; 503 where that cannot be.

    Args:
        root: the run's folder.
        path: below it, as somebody asks for it: it may be anything.
    """
    mirror = mirror_of(root)
    asked = root.joinpath(*(part for part in path.split("/") if part))
    unit = mirror.unit(asked) if mirror else None
    if mirror is None or unit is None:
        return
    if any(mirror.root / unit / file.path == asked for file in mirror.absent_files(asked)):
        with _told():
            mirror.complete(asked)


def absent(folder: Path) -> list[tuple[str, StoredFile]]:
    """By name, the files of a folder that are in the bucket only."""
    mirror = mirror_of(folder)
    unit = mirror.unit(folder) if mirror else None
    if mirror is None or unit is None:
        return []
    files = ((mirror.root / unit / file.path, file) for file in mirror.absent_files(folder))
    return [(path.name, file) for path, file in files if path.parent == folder]


def is_there(path: Path) -> bool:
    """Whether a file of a run was published, wherever it is by now."""
    return path.is_file() or any(name == path.name for name, _ in absent(path.parent))


def _seldom(what: str, do: Callable[[Path], None]) -> None:
    root = home()
    if mirror_of(root) is None:
        return
    with _lock:
        when, fault = _asked.get((root, what), (-_FRESH, None))
        if time.monotonic() - when >= _FRESH:
            fault = None
            try:
                with _told():
                    do(root)
            except HTTPException as error:
                fault = error
            _asked[root, what] = (time.monotonic(), fault)
    if fault is not None:
        raise fault


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (UserError, OSError) as error:
        raise HTTPException(503, str(told_to_user(error) or type(error).__name__)) from error
