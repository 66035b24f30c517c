"""Fixtures of the tests that run stages in a real engine's containers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

import engine as engines
from documents import REPOSITORY
from engine import Engine
from tries import Try, context_of, wait_for

MakeStage = Callable[..., Any]
StartTry = Callable[..., Try]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine of the tests' own."""
    why = engines.missing()
    if why:
        pytest.skip(why)
    with engines.started(tmp_path_factory.mktemp("engine")) as engine:
        engines.have_base_image(engine)
        yield engine


@pytest.fixture
def in_containers(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The worker's settings for this engine; afterwards no container is left."""
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    monkeypatch.setenv("TRADEWIND_MOUNT_ROOTS", engines.mount_roots(tmp_path))
    monkeypatch.setenv("TRADEWIND_LEASE_DIR", str(tmp_path / "leases"))
    monkeypatch.setenv("TRADEWIND_GPUS", "0,1,2,3")
    yield engine
    left = engine.containers()
    for container in left:
        engine.cli.remove_container(container["Id"], force=True)
    assert left == []


@pytest.fixture
def stage(in_containers: Engine, tmp_path: Path) -> MakeStage:
    """Make `prepare` a task in a bare image that borrows this test's interpreter."""
    from tradewind_airflow.operators.qa import QAConversionOperator

    def make(**changes: Any) -> QAConversionOperator:
        settings: dict[str, Any] = {
            "task_id": "prepare", "recipe": "tiny", "data": "embedded:en", "seed": 1, "image": engines.BASE_IMAGE,
            "run_dir": str(tmp_path / "run"), "network_mode": "none",
        } | engines.own_interpreter()  # fmt: skip
        settings["env"] = settings["env"] | changes.pop("env", {})
        settings["mounts"] = settings["mounts"] + changes.pop("mounts", [])
        return QAConversionOperator(**settings | changes)

    return make


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[StartTry]:
    """Start a try of a task in a process of its own; none is left behind."""
    begun: list[Try] = []

    def start(operator: Any, number: int = 1, *, cleared: int = 0) -> Try:
        begun.append(
            Try(
                operator,
                context_of(tmp_path / f"{operator.task_id}.store", number, cleared, operator.task_id),
                tmp_path,
            )
        )
        return begun[-1]

    yield start
    for one in begun:
        if one.process.is_alive():
            one.terminate()


@pytest.fixture
def first_try(tmp_path: Path) -> dict[str, Any]:
    """The context of a first try in this very process."""
    return context_of(tmp_path / "store.json")


@pytest.fixture(scope="session")
def long_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents that a stage with `waits_at` is never done with."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "term_data").mkdir()
    (folder / "term_data/terms.json").write_text(json.dumps([{"term": "FOB", "description": "Free on board."}]))
    return folder


def waits_at(folder: Path) -> dict[str, str]:
    """What a stage's process is told so that it stays at work, at the first file below `folder`, until it is ended."""
    return {"PYTHONPATH": str(REPOSITORY / "tests/hooks"), "TEST_WAITS_AT": str(folder)}


@pytest.fixture
def busy(stage: MakeStage, long_work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeStage:
    """Make a stage that goes on for as long as a test needs."""
    monkeypatch.setenv("TRADEWIND_MOUNT_ROOTS", engines.mount_roots(tmp_path, long_work))
    return lambda **changes: stage(data=str(long_work), env=waits_at(long_work) | changes.pop("env", {}), **changes)


@pytest.fixture
def live(in_containers: Engine) -> Callable[[], dict[str, Any]]:
    """The one container that runs, as the engine inspects it, once its stage is at work."""

    def find() -> dict[str, Any] | None:
        running = in_containers.containers(status="running")
        assert len(running) <= 1, running
        try:
            if not running or b": start in " not in in_containers.cli.logs(running[0]["Id"]):
                return None
            return dict(in_containers.cli.inspect_container(running[0]["Id"]))
        except APIError:  # it ended while we looked
            return None

    return lambda: dict(wait_for(find, "a container at work"))
