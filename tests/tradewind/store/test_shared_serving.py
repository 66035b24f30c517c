"""Which version is served, where the registry is in a bucket: one alias for all workers."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from bucket_server import FaultyProxy
from finished_run import finished_run
from shared_home import Worker
from tradewind.errors import TemporaryError
from tradewind.registry.register import register
from tradewind.registry.serving import SERVING, ServingMove, served_now
from tradewind.registry.store import Registry, models_path
from tradewind.store.mirror import Mirror

_FORK = multiprocessing.get_context("fork")
ALIAS = f"manifests/models/trade_qa/{SERVING}"


def _registry(mirror: Mirror) -> Registry:
    registry = Registry(models_path(mirror.root, "trade_qa"))
    registry.refresh()
    return registry


def _move(server: str, version: str = "v1") -> ServingMove:
    return ServingMove(
        at="2026-11-22T02:00:00.000+00:00", action="serve", server=server, version=version, model_sha256="0" * 64,
        name="trade_qa", url=f"http://{server}:8000/v1", engine="transformers", equal=10, asked=10,
    )  # fmt: skip


def _serve(mirror: Mirror, move: ServingMove) -> bool:
    with _registry(mirror).changing("serve") as change:
        return change.serve(move)


def _servers(mirror: Mirror) -> list[str]:
    return [f"{move.action} {move.server}" for move in _registry(mirror).serving()]


def test_the_alias_is_one_everywhere(worker: Worker) -> None:
    first, second = worker("first"), worker("second")
    assert _serve(first, _move("one"))
    now = served_now(_registry(second).serving())
    assert now is not None
    assert (now.version, now.url) == ("v1", "http://one:8000/v1")
    assert _serve(second, _move("two"))
    assert not _serve(first, _move("one").then("stop", "ended"))  # it has it no more
    assert _servers(first) == _servers(second) == ["serve one", "serve two"]
    assert _serve(second, _move("two").then("stop", "ended"))
    assert served_now(_registry(first).serving()) is None


def test_of_two_at_once_the_second_is_told_and_loses_nothing(worker: Worker) -> None:
    first, second = worker("first"), worker("second")
    _serve(first, _move("one"))
    with _registry(second).changing("serve") as change:
        _serve(first, _move("two"))
        with pytest.raises(TemporaryError, match=r"/models/trade_qa/serving.jsonl: another worker was first"):
            change.serve(_move("three"))
    assert _servers(first) == ["serve one", "serve two"]
    _serve(second, _move("three"))
    assert _servers(first) == _servers(second) == ["serve one", "serve two", "serve three"]


def test_a_bucket_that_is_away_leaves_the_alias(worker: Worker, proxy: FaultyProxy) -> None:
    first = worker("first")
    _serve(first, _move("one"))
    proxy.spoil("PUT", ALIAS, "unavailable", 100)
    with pytest.raises(TemporaryError, match="try again"):
        _serve(first, _move("two"))
    proxy.faults.clear()
    assert _servers(first) == _servers(worker("second")) == ["serve one"]
    assert not list((first.root / "models/trade_qa").glob(f".{SERVING}.*"))


def test_an_answer_that_was_lost_notes_it_once(worker: Worker, proxy: FaultyProxy) -> None:
    first = worker("first")
    proxy.spoil("PUT", ALIAS, "cut")
    _serve(first, _move("one"))
    assert _servers(first) == _servers(worker("second")) == ["serve one"]


def _killed(mirror: Mirror) -> None:
    replace = Path.replace

    def end(self: Path, target: Path) -> Path:
        if Path(target).name == SERVING:
            os._exit(9)
        return replace(self, target)

    Path.replace = end  # type: ignore[assignment,method-assign]
    _serve(mirror, _move("two"))


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
    assert not list((first.root / "models/trade_qa").glob(f".{SERVING}.*"))


def test_a_version_that_is_served_elsewhere_is_not_retired(worker: Worker) -> None:
    first, second = worker("first"), worker("second")

    def night(number: int) -> None:
        registry = _registry(first)
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
    assert _registry(second).names() == ["v1", "v3", "v4"]
