"""Which version is served, where the registry is in a bucket: one alias for all workers."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from bucket_server import BUCKET, FaultyProxy, client, keys
from finished_run import finished_run
from shared_home import Worker, registry_of
from tradewind.errors import TemporaryError, UserError
from tradewind.registry import store
from tradewind.registry.register import register
from tradewind.registry.serving import SERVING, ServingMove, moves_in, served_now, with_move
from tradewind.registry.store import Registry, models_path
from tradewind.store import alias
from tradewind.store.alias import replace_alias
from tradewind.store.bucket import Bucket
from tradewind.store.mirror import Mirror

_FORK = multiprocessing.get_context("fork")
ALIAS = "home/serving/trade_qa"


def _move(server: str, version: str = "v1") -> ServingMove:
    return ServingMove(
        at="2026-11-22T02:00:00.000+00:00", action="serve", server=server, version=version, model_sha256="0" * 64,
        name="trade_qa", url=f"http://{server}:8000/v1", engine="transformers", equal=10, asked=10,
    )  # fmt: skip


def _serve(mirror: Mirror, move: ServingMove) -> bool:
    with registry_of(mirror).changing("serve") as change:
        return change.serve(move)


def _servers(mirror: Mirror) -> list[str]:
    return [f"{move.action} {move.server}" for move in registry_of(mirror).serving()]


def test_the_alias_is_one_everywhere(worker: Worker) -> None:
    first, second = worker("first"), worker("second")
    assert _serve(first, _move("one"))
    now = served_now(registry_of(second).serving())
    assert now is not None
    assert (now.version, now.url) == ("v1", "http://one:8000/v1")
    assert _serve(second, _move("two"))
    assert not _serve(first, _move("one").then("stop", "ended"))  # it has it no more
    assert _servers(first) == _servers(second) == ["serve one", "serve two"]
    assert _serve(second, _move("two").then("stop", "ended"))
    assert served_now(registry_of(first).serving()) is None


def _before_create(monkeypatch: pytest.MonkeyPatch, mirror: Mirror, *moves: ServingMove) -> None:
    """Have these moves noted by another machine just before the next object is created."""
    create = Bucket.create

    def late(self: Bucket, key: str, data: bytes) -> None:
        monkeypatch.setattr(Bucket, "create", create)
        for move in moves:
            _serve(mirror, move)
        create(self, key, data)

    monkeypatch.setattr(Bucket, "create", late)


def test_of_two_at_once_none_is_lost(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = worker("first"), worker("second")
    _serve(first, _move("one"))
    # One that begins and ends meanwhile, so that the newest object is two numbers on.
    _before_create(monkeypatch, first, _move("two"), _move("two").then("stop", "ended"))
    assert _serve(second, _move("three"))
    assert _servers(first) == _servers(second) == ["serve one", "serve two", "stop two", "serve three"]


def test_a_stop_that_came_too_late_changes_nothing(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = worker("first"), worker("second")
    _serve(first, _move("one"))
    _before_create(monkeypatch, second, _move("two"))
    assert not _serve(first, _move("one").then("stop", "ended"))
    assert _servers(first) == ["serve one", "serve two"]


def test_the_newest_objects_are_kept_and_say_all(
    worker: Worker, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alias, "_KEPT", 5)
    first = worker("first")
    moves = [_move(str(number)) for number in range(8)]
    for move in moves:
        assert replace_alias(first, first.root / "models/trade_qa", lambda before, move=move: with_move(  # type: ignore[misc]
            moves_in(before.encode(), "here"), move))  # fmt: skip
    assert len(keys(endpoint, ALIAS)) == 5
    assert _servers(worker("second")) == [f"serve {number}" for number in range(8)]


def test_a_bucket_that_is_away_leaves_the_alias(worker: Worker, proxy: FaultyProxy) -> None:
    first = worker("first")
    _serve(first, _move("one"))
    proxy.spoil("PUT", ALIAS, "unavailable", 100)
    with pytest.raises(TemporaryError, match="try again"):
        _serve(first, _move("two"))
    proxy.faults.clear()
    assert _servers(first) == _servers(worker("second")) == ["serve one"]


def test_what_is_here_is_never_taken_for_what_the_bucket_has(worker: Worker, endpoint: str) -> None:
    first, second = worker("first"), worker("second")
    file = first.root / "models/trade_qa" / SERVING
    file.parent.mkdir(parents=True)
    file.write_text(f"{_move('of before').model_dump_json()}\n", encoding="utf-8")
    _serve(second, _move("one"))
    assert _servers(first) == ["serve one"]
    file.write_bytes(b"")  # as after a power cut
    assert _serve(first, _move("two"))
    assert _servers(second) == ["serve one", "serve two"]
    for key in keys(endpoint, ALIAS):
        client(endpoint).delete_object(Bucket=BUCKET, Key=key)
    assert _servers(first) == []
    assert _serve(first, _move("three"))
    assert _servers(second) == ["serve three"]


def test_a_damaged_alias_is_told_to_who_serves_and_keeps_no_task(worker: Worker, endpoint: str) -> None:
    first = worker("first")
    _serve(first, _move("one"))
    _serve(first, _move("two"))
    (_, newest) = keys(endpoint, ALIAS)
    client(endpoint).put_object(Bucket=BUCKET, Key=newest, Body=b"0" * 64 + b"\n{}")
    assert _servers(first) == ["serve one", "serve two"]
    with pytest.raises(UserError, match=r"00000002.json: the checksum does not match; remove the object"):
        _serve(first, _move("three"))
    client(endpoint).delete_object(Bucket=BUCKET, Key=newest)
    assert _serve(first, _move("three"))
    assert _servers(worker("second")) == ["serve one", "serve three"]


def test_an_answer_that_was_lost_notes_it_once(worker: Worker, proxy: FaultyProxy) -> None:
    first = worker("first")
    proxy.spoil("PUT", ALIAS, "lost")
    _serve(first, _move("one"))
    assert _servers(first) == _servers(worker("second")) == ["serve one"]


def _killed(mirror: Mirror) -> None:
    vars(store)["write_atomically"] = lambda *_: os._exit(9)
    with Registry(models_path(mirror.root, "trade_qa")).changing("serve") as change:
        change.serve(_move("two"))


def test_a_server_that_is_killed_after_it_told_the_bucket(worker: Worker) -> None:
    first, second = worker("first"), worker("second")
    _serve(first, _move("one"))
    process = _FORK.Process(target=_killed, args=(first,))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert _servers(second) == ["serve one", "serve two"]
    assert _serve(first, _move("three"))
    assert _servers(first) == _servers(second) == ["serve one", "serve two", "serve three"]


def test_a_version_that_is_served_elsewhere_is_not_retired(worker: Worker) -> None:
    first, second = worker("first"), worker("second")

    def night(number: int) -> None:
        registry = registry_of(first)
        run = finished_run(
            first.root / f"runs/trade_qa/night-{number}", champion=registry.champion(), weights=str(number),
            overrides={"registry.keep": 1},
        )  # fmt: skip
        first.publish_run(run.path)
        register(registry, run, who="test")

    night(1)
    _serve(second, _move("one"))
    for number in (2, 3, 4):
        night(number)
    assert registry_of(second).names() == ["v1", "v3", "v4"]
