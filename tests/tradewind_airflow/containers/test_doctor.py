"""What `tradewind doctor` finds of a Docker engine, a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import BASE_IMAGE, Engine
from tradewind.doctor.check import Outcome
from tradewind.doctor.subject import Subject
from tradewind.errors import UserError
from tradewind.recipes import resolve
from tradewind_airflow.doctor.engine import look_at_engine, look_at_gpus, look_at_image

SUBJECT = Subject(resolve("tiny", "embedded:en"))


def test_an_engine_that_answers_its_gpus_and_its_image(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    monkeypatch.setenv("TRADEWIND_IMAGE", BASE_IMAGE)
    monkeypatch.setenv("TRADEWIND_TASK_GPUS", "1")
    assert look_at_engine(SUBJECT).outcome is Outcome.OK
    assert engine.host in look_at_engine(SUBJECT).found
    assert look_at_image(SUBJECT).outcome is Outcome.OK
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert look_at_gpus(SUBJECT).found == "the engine knows no runtime for NVIDIA's GPUs"
    monkeypatch.setenv("PATH", f"{engine.hook.parent}:/usr/bin:/bin")
    assert look_at_gpus(SUBJECT).outcome is Outcome.OK
    monkeypatch.setenv("TRADEWIND_TASK_GPUS", "0")
    assert look_at_gpus(SUBJECT).outcome is Outcome.NOT_NEEDED
    monkeypatch.setenv("TRADEWIND_IMAGE", "no-such-image")
    assert look_at_image(SUBJECT).outcome is Outcome.FAILURE
    monkeypatch.setenv("TRADEWIND_IMAGE", "registry.example/team/trainer")
    assert look_at_image(SUBJECT).outcome is Outcome.WARNING


def test_an_engine_that_is_not_there_is_told_with_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    monkeypatch.setenv("TRADEWIND_IMAGE", BASE_IMAGE)
    with pytest.raises(UserError, match=rf"^no engine answers at unix://{tmp_path}/docker.sock; start it"):
        look_at_engine(SUBJECT)
    monkeypatch.delenv("TRADEWIND_IMAGE")
    assert look_at_engine(SUBJECT).outcome is Outcome.NOT_NEEDED
