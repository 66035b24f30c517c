"""The checks of Airflow's side, away from whatever this machine is set up with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from doctoring import Doctor, Told
from tradewind.doctor.examine import examine
from tradewind.doctor.subject import Subject
from tradewind.recipes import resolve
from tradewind_airflow.doctor import CHECKS

_OWN = ("TRADEWIND_", "SLACK_", "AIRFLOW_", "DOCKER_")


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Look at a shipped recipe with the named checks; keyword arguments are environment variables."""
    for name in list(os.environ):
        if name.startswith(_OWN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "nothing"))
    monkeypatch.chdir(tmp_path)

    def look(recipe: str, *names: str, **environment: Any) -> Told:
        checks = [check for check in CHECKS if check.name in names]
        assert len(checks) == len(names), names
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            return Told(examine(Subject(resolve(recipe, "embedded:en")), checks))

    return look
