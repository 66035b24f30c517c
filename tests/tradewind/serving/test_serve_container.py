"""The Compose profile `serve` as it stands, but for image and user: its command, its limits, its health check."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from docker.types import Mount

import engine as engines
from documents import REPOSITORY
from engine import Engine
from served import registered
from tradewind.registry.serving import served_now
from tradewind.registry.store import Registry
from tries import wait_for

pytestmark = pytest.mark.slow
Model = tuple[Path, list[str]]


def _stated(value: Any) -> Any:
    """A value of the file with the defaults for its variables."""
    if isinstance(value, list):
        return [_stated(one) for one in value]
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) if isinstance(value, str) else value


def test_the_service_takes_over_the_champion_and_gives_the_alias_back(
    engine: Engine, tmp_path: Path, first: Model
) -> None:
    text = (REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8")
    service = {name: _stated(value) for name, value in yaml.safe_load(text)["services"]["serve"].items()}
    home = tmp_path / "runs-volume"
    home.mkdir()
    registered(home, "night-1", *first)
    lent = engines.own_interpreter()
    host = engine.cli.create_host_config(
        mounts=[*lent["mounts"], Mount("/runs", str(home), "bind")], network_mode="none", init=service["init"],
        read_only=service["read_only"], cap_drop=service["cap_drop"], security_opt=service["security_opt"],
        tmpfs={one.partition(":")[0]: one.partition(":")[2] for one in service["tmpfs"]},
    )  # fmt: skip
    paths = f"{REPOSITORY}/include:{REPOSITORY}/plugins"
    container = engine.cli.create_container(
        engines.BASE_IMAGE, command=service["command"], host_config=host,
        user=f"{os.getuid()}:0",  # whose interpreter is lent
        environment=lent["env"] | service["environment"] | {"PYTHONPATH": paths},
    )["Id"]  # fmt: skip
    registry = Registry(home / "models" / "trade_qa")
    try:
        engine.cli.start(container)

        def served() -> Any:
            state = engine.cli.inspect_container(container)["State"]
            assert state["Running"], engine.cli.logs(container).decode()
            return served_now(registry.serving())

        now = wait_for(served, "the service serves", 120)
        assert (now.version, now.equal, now.url) == ("v1", 10, "http://localhost:8001/v1")
        check = engine.cli.exec_create(container, service["healthcheck"]["test"][1:])["Id"]
        said = engine.cli.exec_start(check)
        assert engine.cli.exec_inspect(check)["ExitCode"] == 0, said
        engine.cli.stop(container, timeout=60)
        assert engine.cli.inspect_container(container)["State"]["ExitCode"] == 0
        assert served_now(registry.serving()) is None
    finally:
        engine.cli.remove_container(container, force=True)
