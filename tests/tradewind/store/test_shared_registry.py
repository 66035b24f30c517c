from __future__ import annotations

import multiprocessing
import traceback
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from bucket_server import BUCKET, FaultyProxy, client, keys
from finished_run import finished_run
from shared_home import Worker, registry_of
from tradewind.errors import TemporaryError, UserError
from tradewind.registry.promotion import promote, rollback
from tradewind.registry.register import register
from tradewind.registry.store import Registry
from tradewind.store import bucket
from tradewind.store.mirror import Mirror
from tradewind.store.moves import read_moves

_FORK = multiprocessing.get_context("fork")


def _night(mirror: Mirror, name: str, **more: object) -> Registry:
    """One night on this machine: its run, and its version."""
    registry = registry_of(mirror)
    run = finished_run(mirror.root / "runs/trade_qa" / name, champion=registry.champion(), weights=name, **more)  # type: ignore[arg-type]
    mirror.publish_run(run.path)
    register(registry, run, who="test")
    return registry


def test_a_champion_is_one_everywhere(worker: Worker, proxy: FaultyProxy) -> None:
    first, second = worker("first"), worker("second")
    _night(first, "night-1")
    assert registry_of(second).champion_name() == "v1"
    _night(second, "night-2")
    registry = registry_of(first)
    assert (registry.names(), registry.champion_name(), registry.predecessor()) == (["v1", "v2"], "v2", "v1")
    registry.version("v2").verify()  # which has its files come
    rollback(registry, who="test", why="by hand")
    assert registry_of(second).champion_name() == "v1"
    assert [move.after for move in registry_of(second).history()] == ["v1", "v2", "v1"]


def test_a_move_is_read_once(worker: Worker, proxy: FaultyProxy, endpoint: str) -> None:
    first, second = worker("first"), worker("second")
    for number in (1, 2, 3):
        _night(first, f"night-{number}")
    registry_of(second)
    read = proxy.count("GET", "/home/moves/trade_qa/0")
    rollback(registry_of(first), who="test", why="by hand")
    assert [move.after for move in registry_of(second).history()] == ["v1", "v2", "v3", "v2"]
    assert proxy.count("GET", "/home/moves/trade_qa/0") == read + 1, "the new one"
    # Another object in the place of one that is known is not taken for it.
    client(endpoint).put_object(Bucket=BUCKET, Key=keys(endpoint, "home/moves/trade_qa")[0], Body=b"0" * 64 + b"\n{}")
    with pytest.raises(UserError, match=r"moves/trade_qa/00000001.json: the checksum does not match"):
        registry_of(second)


def test_a_version_s_model_is_not_sent_again(worker: Worker, proxy: FaultyProxy) -> None:
    first = worker("first")
    run = finished_run(first.root / "runs/trade_qa/night-1")
    large = run.published("finetune") / "model"
    assert large.is_dir()
    first.publish_run(run.path)
    sent = proxy.count("PUT", "/blobs/")
    register(registry_of(first), run, who="test")
    assert proxy.count("PUT", "/blobs/") == sent


def test_a_version_that_was_retired_is_gone_everywhere(worker: Worker) -> None:
    first, second = worker("first"), worker("second")
    for number in (1, 2, 3):
        _night(first, f"night-{number}", overrides={"registry.keep": 1})
    assert registry_of(second).names() == ["v2", "v3"]
    _night(first, "night-4", overrides={"registry.keep": 1})
    assert registry_of(second).names() == ["v3", "v4"]


def _race(mirror: Mirror, name: str, start: Barrier, told: Queue[str]) -> None:
    """A worker in a process of its own: makes the version champion, and tells how it went."""
    try:
        registry = registry_of(mirror)
        create = bucket.Bucket.create

        def at_once(self: bucket.Bucket, key: str, data: bytes) -> None:
            if key.startswith("moves/"):
                start.wait(30)  # both have looked who the champion is
            create(self, key, data)

        bucket.Bucket.create = at_once  # type: ignore[method-assign]
        promote(registry, name, who=mirror.root.parent.name, why="race", force=True)
        told.put(f"moved {name}")
    except TemporaryError as error:
        told.put(f"refused {name}: {error}")
    except BaseException:  # noqa: BLE001 - for the test to show
        told.put(traceback.format_exc())


def test_of_two_promotions_at_once_one_wins_and_none_is_lost(worker: Worker) -> None:
    first, second = worker("first"), worker("second")
    for number in (1, 2, 3):
        _night(first, f"night-{number}", gain=0.2 if number == 1 else -0.2)
    assert registry_of(second).champion_name() == "v1"
    start, told = _FORK.Barrier(2), _FORK.Queue()
    racing = [
        _FORK.Process(target=_race, args=(mirror, name, start, told))
        for mirror, name in ((first, "v2"), (second, "v3"))
    ]
    for process in racing:
        process.start()
    said = sorted(told.get(timeout=60) for _ in racing)
    for process in racing:
        process.join(60)
        assert process.exitcode == 0
    won = said[0].removeprefix("moved ")
    lost = {"v2": "v3", "v3": "v2"}[won]
    assert said[1].startswith(f"refused {lost}: "), said
    assert "another process moved the champion at this moment; nothing was changed" in said[1]
    third = worker("third")
    registry = registry_of(third)
    assert [move.after for move in read_moves(third, registry.path)] == ["v1", won]
    assert {registry_of(mirror).champion_name() for mirror in (first, second, third)} == {won}
    promote(registry_of(second), lost, who="test", why="again", force=True)  # as the retry does, knowing who won
    moves = registry_of(first).history()
    assert [(move.before, move.after) for move in moves] == [(None, "v1"), ("v1", won), (won, lost)]


def test_two_workers_that_register_at_once_have_two_versions(worker: Worker) -> None:
    first, second = worker("first"), worker("second")
    _night(first, "night-1")
    registry = registry_of(second)
    run = finished_run(second.root / "runs/trade_qa/night-2", champion=registry.champion(), weights="two")
    publish = Mirror.publish_new
    with pytest.MonkeyPatch.context() as patch:

        def late(self: Mirror, unit: str, folder: Path, sources: tuple[str, ...] = ()) -> object:
            patch.undo()
            _night(first, "night-3")  # takes the name v2 meanwhile
            return publish(self, unit, folder, sources)

        patch.setattr(Mirror, "publish_new", late)
        with pytest.raises(TemporaryError, match="another worker was first"):
            register(registry, run, who="test")
    assert list((registry.path / "versions").glob(".new-*")) == []
    retried = register(registry, run, who="test")
    assert (retried.version.name, registry.champion_name()) == ("v3", "v2")
    assert "compared with another champion" in retried.version.record.decision.reasons[0]


def test_a_move_that_was_damaged_stops_the_registry(worker: Worker, endpoint: str, proxy: FaultyProxy) -> None:
    first = worker("first")
    _night(first, "night-1")
    assert len(keys(endpoint, "home/moves/trade_qa/")) == 1
    proxy.spoil("GET", "/moves/", "changed", times=99)
    with pytest.raises(UserError, match=r"moves/trade_qa/00000001.json: the checksum does not match"):
        registry_of(worker("second"))


def test_a_move_that_is_gone_is_told_and_not_taken_for_another_worker_s(worker: Worker, endpoint: str) -> None:
    first = worker("first")
    registry = _night(first, "night-1")
    _night(first, "night-2", gain=0.5)
    assert registry.champion_name() == "v2"
    client(endpoint).delete_object(Bucket=BUCKET, Key="home/moves/trade_qa/00000001.json")
    with pytest.raises(UserError, match=r"moves/trade_qa/00000001.json: is gone, .*; restore it from a copy") as told:
        promote(registry, "v1", who="test", why="now", force=True)
    assert not isinstance(told.value, TemporaryError)
    assert registry.champion_name() == "v2"


def test_a_bucket_that_is_away_moves_nothing(worker: Worker, proxy: FaultyProxy) -> None:
    first = worker("first")
    registry = _night(first, "night-1")
    _night(first, "night-2", gain=-0.2)
    proxy.spoil("PUT", "/moves/", "unavailable", times=99)
    with pytest.raises(TemporaryError):
        promote(registry, "v2", who="test", why="now", force=True)
    assert registry.champion_name() == "v1"
    assert len(registry.history()) == 1
    assert registry_of(worker("second")).champion_name() == "v1"
