"""A registry and runs for it."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from finished_run import Night, finished_run
from tradewind.registry.register import Registered, register
from tradewind.registry.store import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models" / "trade_qa")


@pytest.fixture
def night(registry: Registry, tmp_path: Path) -> Night:
    """Register a new run that was compared with the present champion; keyword arguments are those of the run."""
    numbers = count(1)

    def run(**settings: Any) -> Registered:
        number = next(numbers)
        path = tmp_path / "runs" / f"night-{number}"
        settings.setdefault("weights", f"weights of night {number}")
        return register(registry, finished_run(path, champion=registry.champion(), **settings), who="test")

    return run
