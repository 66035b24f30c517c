"""The champion is compared with, or it is said why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.errors import UserError
from tradewind.recipes import resolve
from tradewind.run_dir import RunDir
from tradewind.stages.champion import champion_of
from tradewind.stages.stage_run import StageRun


@pytest.fixture
def stage(tmp_path: Path) -> StageRun:
    return StageRun("evaluate", resolve("tiny", "embedded:en"), RunDir(tmp_path), tmp_path, {})


def test_a_folder_of_models_that_this_machine_does_not_see(
    stage: StageRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node of a cluster that does not mount it must not take it for a pipeline without a champion."""
    monkeypatch.setenv("TRADEWIND_MODELS", str(tmp_path / "models"))
    with pytest.raises(UserError, match=r"models: no such folder; the champion is looked for there \(TRADEWIND_MODELS"):
        champion_of(stage)


def test_there_may_be_none_yet(stage: StageRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_MODELS", str(tmp_path))
    assert champion_of(stage) is None
    monkeypatch.delenv("TRADEWIND_MODELS")
    assert champion_of(stage) is None
    assert stage.inputs == {}
