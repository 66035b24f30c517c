"""The result that a try which just ended left behind."""

from __future__ import annotations

import os

from tradewind.errors import UserError
from tradewind.results import StageResult
from tradewind.run_dir import RunDir
from tradewind.stages import Stage


def finished_result(run_dir: RunDir, folder: str, stage: Stage, *, job_id: str, task_id: str) -> StageResult:
    """What the stage published in `folder`; UserError where it is not that try's, or not the worker's to clear."""
    path = run_dir.result_file(folder)
    if path.exists() and path.stat().st_uid != os.geteuid():
        raise UserError(
            f"{path}: written by user {path.stat().st_uid}, but the worker is user {os.geteuid()} and could "
            "not clear it; leave `user` to the operator"
        )
    result = run_dir.result(folder)
    if (result.job_id, result.task_id, result.stage) != (job_id, task_id, stage):
        raise UserError(
            f"{path}: is of {result.job_id} {result.task_id}, not of {job_id} {task_id}; "
            "the stage ended without publishing: does the image run `tradewind`?"
        )
    return result
