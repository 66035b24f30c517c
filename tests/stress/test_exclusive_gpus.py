"""The stress script, shorter: its rules hold, and it sees what it says it sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import Engine
from stress.exclusive_gpus import settings, still_held, stress
from tradewind.lease import gpu_leases

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_killed_task_processes_never_share_or_lose_a_gpu(
    in_containers: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings(in_containers, tmp_path, 4).items():
        monkeypatch.setenv(name, value)
    counts = stress(in_containers, tmp_path, runs=40, at_once=8, gpus=4, seed=3)
    assert counts.doubled == []
    assert counts.failed == []
    assert counts.succeeded == 40
    assert counts.killed > 5  # it was a stress
    assert set(counts.holds) == {"0", "1", "2", "3"}  # and all were used
    assert counts.most_at_once >= 3
    assert still_held(tmp_path / "leases", 4) == []
    assert in_containers.containers() == []


def test_a_gpu_that_is_held_counts_as_lost(tmp_path: Path) -> None:
    with gpu_leases(tmp_path, ["2"]):
        assert still_held(tmp_path, 4) == ["2"]
