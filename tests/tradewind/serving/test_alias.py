"""What a service owes its registry is told as soon as it can be, by one at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bucket_server import FaultyProxy
from shared_home import Worker, registry_of
from tradewind.registry.serving import ServingMove
from tradewind.serving import alias
from tradewind.serving.alias import Alias
from tradewind.serving.questions import SmokeSet
from tradewind.serving.target import Target
from tries import wait_for

MOVE = ServingMove(
    at="2026-11-22T02:00:00.000+00:00", action="serve", server="one", version="v1", model_sha256="0" * 64,
    name="trade_qa", url="http://one:8000/v1", engine="transformers", equal=10, asked=10,
)  # fmt: skip


def test_a_silent_bucket_has_one_at_it_however_often_it_is_tried(
    worker: Worker, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alias, "_PATIENCE", 0.1)
    registry = registry_of(worker("first"))
    smoke = SmokeSet(questions=(), max_new_tokens=16, dtype="float32", on_gpu=False)
    target = Target("trade_qa", Path("model"), "0" * 64, smoke, registry, "v1")
    told = Alias(lambda: None)
    proxy.spoil("GET", "/", "silent", 1000)
    told.note(target, MOVE)
    under_way = threading.active_count()
    for _ in range(100):
        told.settle()
    assert threading.active_count() <= under_way + 1
    proxy.ended.set()
    proxy.faults.clear()
    wait_for(lambda: [move.server for move in registry_of(worker("first")).serving()] == ["one"], "it is noted")
