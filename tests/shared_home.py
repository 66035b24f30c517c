"""Fixtures of a shared home: a bucket, faults before it, and workers each with a cache of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bucket_server import BUCKET, FaultyProxy, client, proxied, s3_server, set_environment
from tradewind.registry.store import Registry, models_path
from tradewind.store import bucket, checked
from tradewind.store.address import home_of
from tradewind.store.mirror import Mirror, mirror_of

Worker = Callable[[str], Mirror]


def registry_of(mirror: Mirror) -> Registry:
    """The models of `trade_qa` as a machine has them once it has looked into the bucket."""
    registry = Registry(models_path(mirror.root, "trade_qa"))
    registry.refresh()
    return registry


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server of S3."""
    with s3_server() as address:
        yield address


@pytest.fixture
def proxy(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FaultyProxy]:
    """What stands between this process and an empty bucket."""
    store = client(endpoint)
    store.create_bucket(Bucket=BUCKET)
    with proxied(endpoint) as between:
        set_environment(monkeypatch, between.address)
        yield between
    for page in store.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page.get("Contents", ()):
            store.delete_object(Bucket=BUCKET, Key=entry["Key"])
    store.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def worker(proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Worker:
    """A machine by its name, with nothing of the bucket at first."""
    bucket._made.cache_clear()  # of another test's server
    monkeypatch.setattr(checked, "_PAUSE", 0.01)

    def named(name: str) -> Mirror:
        monkeypatch.setenv("TRADEWIND_CACHE", str(tmp_path / name))
        found = mirror_of(home_of(f"s3://{BUCKET}/home"))
        assert found is not None
        return found

    return named
