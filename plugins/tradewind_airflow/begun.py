"""Since which try a task has not been cleared: what these published is a retry's, if their worker was lost."""

from __future__ import annotations

import json

from tradewind.errors import UserError
from tradewind.files import write_atomically
from tradewind.run_dir import RunDir
from tradewind_airflow.containers.identity import Identity, try_number


def begin(run_dir: RunDir, folder: str, identity: Identity) -> str:
    """Note this try, if it is the first since the task was cleared, and what stands in `folder` by then.

    Returns:
        The try since then, as `<task_id>/<try>`, that has published there; empty if there is none.
    """
    file = run_dir.path / f".{folder}.begun"
    now = _written_at(run_dir, folder)
    try:
        generation, first, before = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, TypeError):  # none, or a damaged one
        generation, first, before = None, identity.number, now
    # The first try a second time: the run was deleted in Airflow, and another one has its id.
    if generation != identity.generation or identity.number <= first:
        run_dir.path.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps([identity.generation, identity.number, now]))
        return ""
    if now == before:
        return ""
    try:
        published = run_dir.result(folder)
    except UserError:
        return ""
    made_by = published.task_id or ""
    if (published.job_id, made_by.rpartition("/")[0]) != (identity.job_id, identity.task):
        return ""
    return made_by if first <= try_number(made_by) < identity.number else ""


def _written_at(run_dir: RunDir, folder: str) -> int | None:
    """When the result that stands there was written, in nanoseconds; None where there is none."""
    try:
        return run_dir.result_file(folder).stat().st_mtime_ns
    except FileNotFoundError:
        return None
