"""A Slack on loopback, and a run that has just begun."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slack_server import SlackServer
from telling import RUN_ID, TOKEN, Night, connect
from tradewind.run_dir import run_path


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    """A run that has just begun, in an Airflow with a page."""
    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.example/")
    for name in ("TRADEWIND_SLACK_MENTION", "TRADEWIND_SLACK_EXAMPLES", "TRADEWIND_DEADLINE_HOURS"):
        monkeypatch.delenv(name, raising=False)
    return Night(run_path(tmp_path / "home", "trade_qa", RUN_ID))


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackServer]:
    """A Slack that the connection names."""
    with SlackServer(TOKEN) as server:
        connect(monkeypatch, server)
        yield server


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`connect`, undone at the end."""
    return lambda *arguments, **more: connect(monkeypatch, *arguments, **more)
