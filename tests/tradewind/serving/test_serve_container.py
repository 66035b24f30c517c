"""The Compose profile `serve` as it stands, but for image, user and port: its command, limits and health check."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from docker.types import Mount

import engine as engines
from documents import REPOSITORY
from engine import Engine
from served import registered
from shared_home import Worker
from tradewind.registry.serving import ServingMove, served_now
from tradewind.registry.store import Registry
from tries import wait_for

pytestmark = pytest.mark.slow
Model = tuple[Path, list[str]]


def _stated(value: Any) -> Any:
    """A value of the file, by its variables' values in this process or their defaults."""
    if isinstance(value, list):
        return [_stated(one) for one in value]
    if isinstance(value, dict):
        stated = {name: os.environ.get(name) if one is None else _stated(one) for name, one in value.items()}
        return {name: one for name, one in stated.items() if one is not None}
    return re.sub(r"\$\{(\w+):-([^}]*)\}", _variable, value) if isinstance(value, str) else value


def _variable(found: re.Match[str]) -> str:
    return os.environ.get(found[1]) or found[2]


@contextmanager
def _service(engine: Engine, network: str, *options: str, **folders: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The service at work: its container's id, and what Compose's file states; gone after the block.

    Args:
        options: after its own.
        folders: of the host, for the volumes of these names.
    """
    text = (REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8")
    stated = yaml.safe_load(text)["services"]["serve"]
    service = {name: one if name == "healthcheck" else _stated(one) for name, one in stated.items()}
    mounted = {volume.partition(":")[0]: volume.split(":")[1] for volume in service["volumes"]}
    lent = engines.own_interpreter()
    host = engine.cli.create_host_config(
        mounts=[*lent["mounts"], *(Mount(mounted[name], str(path), "bind") for name, path in folders.items())],
        network_mode=network, init=service["init"],
        read_only=service["read_only"], cap_drop=service["cap_drop"], security_opt=service["security_opt"],
        tmpfs={one.partition(":")[0]: one.partition(":")[2] for one in service["tmpfs"]},
    )  # fmt: skip
    paths = f"{REPOSITORY}/include:{REPOSITORY}/plugins"
    container = engine.cli.create_container(
        engines.BASE_IMAGE, command=[*service["command"], *options], host_config=host,
        user=f"{os.getuid()}:0",  # whose interpreter is lent
        environment=service["environment"] | lent["env"] | {"PYTHONPATH": paths},
    )["Id"]  # fmt: skip
    try:
        engine.cli.start(container)
        yield container, service
    finally:
        engine.cli.remove_container(container, force=True)


def _served(engine: Engine, container: str, registry: Registry) -> ServingMove:
    def served() -> ServingMove | None:
        state = engine.cli.inspect_container(container)["State"]
        assert state["Running"], engine.cli.logs(container).decode()
        registry.refresh()
        return served_now(registry.serving())

    found: ServingMove = wait_for(served, "the service serves", 120)
    return found


def test_the_service_takes_over_the_champion_and_gives_the_alias_back(
    engine: Engine, tmp_path: Path, first: Model
) -> None:
    home = tmp_path / "runs-volume"
    home.mkdir()
    registered(home, "night-1", *first)
    registry = Registry(home / "models" / "trade_qa")
    with _service(engine, "none", runs=home) as (container, service):
        now = _served(engine, container, registry)
        assert (now.version, now.equal, now.url) == ("v1", 10, "http://localhost:8001/v1")
        check = engine.cli.exec_create(container, service["healthcheck"]["test"][1:])["Id"]
        said = engine.cli.exec_start(check)
        assert engine.cli.exec_inspect(check)["ExitCode"] == 0, said
        engine.cli.stop(container, timeout=60)
        assert engine.cli.inspect_container(container)["State"]["ExitCode"] == 0
        assert served_now(registry.serving()) is None


def test_the_service_takes_the_champion_of_a_home_in_a_bucket(
    engine: Engine, tmp_path: Path, first: Model, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = worker("worker")
    registered(mirror.root, "night-1", *first)
    mirror.publish_run(mirror.root / "runs/trade_qa/night-1")
    monkeypatch.setenv("TRADEWIND_HOME", mirror.address)
    cache = tmp_path / "cache-volume"
    cache.mkdir()
    # The bucket's server listens on this host's loopback.
    with _service(engine, "host", "--port=0", "--host=127.0.0.1", cache=cache) as (container, _):
        now = _served(engine, container, Registry(mirror.root / "models" / "trade_qa"))
        assert (now.version, now.equal) == ("v1", 10)
        assert list(cache.rglob("versions/v1/model/model.safetensors"))
        engine.cli.stop(container, timeout=60)
        assert engine.cli.inspect_container(container)["State"]["ExitCode"] == 0
