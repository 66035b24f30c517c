"""The checks of `tradewind doctor`, away from whatever this machine is set up with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from doctoring import Doctor, Told
from tradewind.doctor.checks import CHECKS
from tradewind.doctor.examine import examine
from tradewind.doctor.subject import Subject
from tradewind.recipes import resolve

_OWN = ("HF_", "TRADEWIND_", "OPENAI_", "SLACK_", "CUDA_", "DOCKER_", "XDG_", "AIRFLOW_")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment without a GPU's programs, tokens, proxies and settings; what stands on its PATH goes here."""
    for name in list(os.environ):
        if name.startswith(_OWN) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{Path(sys.executable).parent}")
    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "no-airflow"))  # whose side may add checks
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    return programs


@pytest.fixture
def doctor(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Look at a recipe, by its text or name, with the named checks; keyword arguments are environment variables."""

    def look(recipe: str, *names: str, data: str = "embedded:en", **environment: Any) -> Told:
        if "\n" in recipe:
            path = tmp_path / "recipe.yaml"
            path.write_text(recipe, encoding="utf-8")
            recipe = str(path)
        checks = [check for check in CHECKS if check.name in names]
        assert len(checks) == len(names), names
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            return Told(examine(Subject(resolve(recipe, data)), checks))

    return look


@pytest.fixture
def nvidia_smi(bare: Path) -> Callable[[str], None]:
    """Put an `nvidia-smi` on the PATH: the driver's program as far as the doctor sees it, in a shell's words."""

    def install(script: str) -> None:
        program = bare / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)

    return install
