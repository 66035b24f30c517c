"""Whose result a retry may take: that of a try since the last clear, whichever it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from documents import SAMPLES
from quick_run import QuickRun
from tradewind_airflow.begun import begin
from tradewind_airflow.containers.identity import Identity


@pytest.fixture
def run(tmp_path: Path) -> QuickRun:
    return QuickRun(tmp_path / "run", SAMPLES["ko"])


def _begin(run: QuickRun, number: int, *, cleared: int = 0) -> str:
    return begin(run.dir, "prepare", Identity(run.job_id, f"prepare/{number}", cleared, ""))


def test_a_try_that_published_after_it_was_given_up_counts(run: QuickRun) -> None:
    assert [_begin(run, 1), _begin(run, 2)] == ["", ""]
    run.make("prepare", "prepare/1")
    assert _begin(run, 3) == "prepare/1"
    assert _begin(run, 4, cleared=1) == ""


def test_what_was_published_before_a_clear_never_does(run: QuickRun) -> None:
    _begin(run, 1)
    run.make("prepare", "prepare/1")
    assert _begin(run, 2, cleared=1) == ""
    assert _begin(run, 3, cleared=1) == ""  # the second try failed before it published
    run.make("prepare", "prepare/3")
    assert _begin(run, 4, cleared=1) == "prepare/3"


def test_what_stood_there_before_the_first_try_never_does(run: QuickRun) -> None:
    """Of a run that was deleted in Airflow, and triggered again under its id."""
    _begin(run, 1)
    run.make("prepare", "prepare/1")
    assert _begin(run, 1) == ""
    assert _begin(run, 2) == ""  # the new run's first try failed before it published
    run.make("prepare", "prepare/2")
    assert _begin(run, 3) == "prepare/2"


@pytest.mark.parametrize("damage", ["", "{", "null"])
def test_a_damaged_note_is_no_note(run: QuickRun, damage: str) -> None:
    _begin(run, 1)
    run.make("prepare", "prepare/1")
    (run.dir.path / ".prepare.begun").write_text(damage)
    assert _begin(run, 2) == ""


def test_another_tasks_result_is_not_its(run: QuickRun) -> None:
    _begin(run, 1)
    run.make("prepare", "other/1")
    assert _begin(run, 2) == ""
