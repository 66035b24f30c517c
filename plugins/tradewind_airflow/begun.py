"""Which try of a task began last: what it published is its retry's, if its worker was lost before it could tell."""

from __future__ import annotations

import json
from pathlib import Path

from tradewind.errors import UserError
from tradewind.files import write_atomically
from tradewind.run_dir import RunDir
from tradewind_airflow.containers.identity import Identity


def begin(run_dir: RunDir, folder: str, identity: Identity) -> str:
    """Note this try as the one that began last, unless one before it has published in `folder`.

    Returns:
        That one's `<task_id>/<try>`; empty if there is none, or the task was cleared since.
    """
    before = _before(run_dir, folder)
    if before is not None and before[0] == identity.generation and before[1] != identity.task_id:
        try:
            published = run_dir.result(folder)
        except UserError:
            published = None
        if published is not None and (published.job_id, published.task_id) == (identity.job_id, before[1]):
            return before[1]
    run_dir.path.mkdir(parents=True, exist_ok=True)
    write_atomically(_file(run_dir, folder), json.dumps([identity.generation, identity.task_id]))
    return ""


def _before(run_dir: RunDir, folder: str) -> tuple[int, str] | None:
    try:
        generation, task_id = json.loads(_file(run_dir, folder).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return int(generation), str(task_id)


def _file(run_dir: RunDir, folder: str) -> Path:
    return run_dir.path / f".{folder}.begun"
