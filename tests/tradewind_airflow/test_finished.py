"""The result of a try that just ended, and of no other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tradewind.errors import UserError
from tradewind.results import StageResult
from tradewind.run_dir import RunDir
from tradewind_airflow.finished import finished_result


def _published_by(folder: Path, *, job: str | None, task: str | None, stage: Any = "adapt") -> Path:
    result = StageResult(
        job_id=job, task_id=task, stage=stage, started_at="now", seconds=1, seed=1, config={}, versions={}
    )
    (folder / "adapt").mkdir()
    (folder / "adapt/result.json").write_text(result.model_dump_json(), encoding="utf-8")
    return folder / "adapt/result.json"


def _read_as(folder: Path, job: str, task: str) -> StageResult:
    return finished_result(RunDir(folder), "adapt", "adapt", job_id=job, task_id=task)


def test_the_result_of_this_very_try_is_taken(tmp_path: Path) -> None:
    _published_by(tmp_path, job="d/r", task="adapt/2")
    assert _read_as(tmp_path, "d/r", "adapt/2").stage == "adapt"


@pytest.mark.parametrize(
    "other",
    [{"job": "d/r0"}, {"task": "adapt/1"}, {"task": "prepare/2"}, {"job": None, "task": None}, {"stage": "prepare"}],
)
def test_a_result_that_another_try_left_is_not_taken_for_this_ones(tmp_path: Path, other: dict[str, Any]) -> None:
    path = _published_by(tmp_path, **{"job": "d/r", "task": "adapt/2"} | other)
    with pytest.raises(UserError, match="the stage ended without publishing") as caught:
        _read_as(tmp_path, "d/r", "adapt/2")
    assert str(caught.value).startswith(f"{path}: is of ")
    assert "not of d/r adapt/2" in str(caught.value)


def test_a_result_that_the_worker_could_not_clear_is_told(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    path = _published_by(tmp_path, job="d/r", task="adapt/2")
    os.chown(path, 1234, 1234)
    with pytest.raises(UserError, match="written by user 1234, but the worker is user 0"):
        _read_as(tmp_path, "d/r", "adapt/2")
