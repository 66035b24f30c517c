"""Two workers have made one unit: which of the two counts."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from tradewind.store.manifest import Manifest
from tradewind.store.record import told_here


def is_superseded(path: Path, there: Manifest) -> bool:
    """Whether what stands at `path` is an earlier try's than what the bucket has, of the same task.

    A container goes on without its worker, and may end when another worker has made the same anew. By the number of
    the try alone a run that was deleted in Airflow, and made again under its id, would be the earlier one; by the
    clock alone a worker whose clock is slow.
    """
    file = told_here(path)
    try:
        here, other = (_said(file.read_bytes()) if file else None), _said(there.says)
    except (FileNotFoundError, ValueError):  # it went in this moment, or is damaged there
        return False
    if here is None or other is None or here[0] != other[0]:
        return False
    return here[1] < other[1] and here[2] < other[2]


def _said(text: bytes) -> tuple[tuple[str, str], int, float] | None:
    """The task, which of its tries it was, and when that began, in seconds; None where it says nothing of that kind."""
    try:
        found: dict[str, Any] = json.loads(text)
        task, _, number = found["task_id"].rpartition("/")
        return (found["job_id"], task), int(number), datetime.fromisoformat(found["started_at"]).timestamp()
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
