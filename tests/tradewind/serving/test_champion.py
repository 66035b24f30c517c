"""Looking for the champion does not keep a service from its engine."""

from __future__ import annotations

import pytest

from bucket_server import FaultyProxy
from finished_run import finished_run
from shared_home import Worker, registry_of
from tradewind.errors import TemporaryError
from tradewind.registry.promotion import rollback
from tradewind.registry.register import register
from tradewind.registry.store import Registry, models_path
from tradewind.serving.champion import Champion
from tries import wait_for


def _night(registry: Registry, name: str) -> None:
    run = finished_run(registry.path.parents[1] / "runs/trade_qa" / name, champion=registry.champion(), weights=name)
    register(registry, run, who="test")


@pytest.fixture
def registry(worker: Worker) -> Registry:
    """Of the machine that serves; v2 is champion."""
    elsewhere = Registry(models_path(worker("first").root, "trade_qa"))
    for name in ("night-1", "night-2"):
        _night(elsewhere, name)
    return registry_of(worker("second"))


def test_another_machines_champion_is_found_by_a_later_look(registry: Registry, worker: Worker) -> None:
    champion = Champion(registry, every=0.1)
    assert champion.name() == "v2"
    elsewhere = Registry(models_path(worker("first").root, "trade_qa"))
    rollback(elsewhere, who="test", why="by hand")
    wait_for(lambda: champion.name() == "v1", "the look")
    rollback(elsewhere, to="v2", who="test", why="by hand")
    assert champion.name_now() == "v2"


def test_a_bucket_that_is_away_is_told_once_a_look(registry: Registry, proxy: FaultyProxy) -> None:
    champion = Champion(registry, every=0.1)
    proxy.spoil("GET", "/", "unavailable", 1000)

    def told() -> str:
        try:
            champion.name()
        except TemporaryError as error:
            return str(error)
        return ""

    assert "nothing is lost: try again" in wait_for(told, "the look's fault")
    assert champion.name() == "v2", "until the next one"
    proxy.faults.clear()
    assert champion.name_now() == "v2"


def test_a_silent_bucket_keeps_nobody_waiting(registry: Registry, proxy: FaultyProxy) -> None:
    champion = Champion(registry, every=0.0)
    proxy.spoil("GET", "/", "silent", 1000)
    assert champion.name() == "v2"
    wait_for(lambda: proxy.faults[0].times < 1000, "the look's first request")
    assert [champion.name() for _ in range(100)] == ["v2"] * 100
    assert proxy.faults[0].times == 999, "one look at a time"
