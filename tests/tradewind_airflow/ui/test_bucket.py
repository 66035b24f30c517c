"""The pages of an API server that holds nothing of what the workers made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_pages import DAG_ID, RUN_ID
from bucket_server import BUCKET, FaultyProxy
from finished_run import finished_run
from published import weights
from shared_home import Worker
from tradewind.registry.register import register
from tradewind.registry.store import Registry
from tradewind.run_dir import run_path
from tradewind.store.mirror import Mirror
from tradewind_airflow.ui import bucket

API = "/tradewind/api"
LARGE = weights(0.3)


@pytest.fixture
def elsewhere(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A run with a version that a worker made; gives the API server's own folder, which is empty."""
    first = worker("worker")
    run = finished_run(run_path(first.root, DAG_ID, RUN_ID))
    (run.published("prepare") / "large.bin").write_bytes(LARGE)
    first.publish_run(run.path)
    register(Registry(first.root / "models" / DAG_ID), run, who="test")
    monkeypatch.setenv("TRADEWIND_HOME", f"s3://{BUCKET}/home")
    bucket._asked.clear()
    yield worker("server")
    bucket._asked.clear()


def test_the_pages_show_a_run_of_another_machine(elsewhere: Mirror, get: Any, triggered: Any) -> None:
    triggered()
    query = {"dag_id": DAG_ID, "run_id": RUN_ID}
    body = get(f"{API}/run", **query).json()
    assert (body["run"], body["has_report"]) == (run_path(elsewhere.root, DAG_ID, RUN_ID).name, True)
    assert "<title>report</title>" in get(f"{API}/report", **query).text
    assert get(f"{API}/models", dag_id=DAG_ID).json()["champion"] == "v1"
    assert [one["dag_id"] for one in get(f"{API}/pipelines").json()["pipelines"]] == [DAG_ID]


def test_a_file_that_is_in_the_bucket_is_listed_and_comes(elsewhere: Mirror, get: Any) -> None:
    query = {"dag_id": DAG_ID, "run_id": RUN_ID}
    entries = get(f"{API}/files", path="prepare", **query).json()["entries"]
    assert {"name": "large.bin", "kind": "file", "bytes": len(LARGE)}.items() <= next(
        entry for entry in entries if entry["name"] == "large.bin"
    ).items()
    here = run_path(elsewhere.root, DAG_ID, RUN_ID) / "prepare/large.bin"
    assert not here.exists()
    taken = get(f"{API}/files/download", path="prepare/large.bin", **query)
    assert hashlib.sha256(taken.content).digest() == hashlib.sha256(LARGE).digest()
    for path in (
        "",
        ".",
        "prepare",
        "a\0b",
        "x" * 9000,
        "../../../../.bucket",
        "/etc/passwd",
        "finetune/../../x",
        "prepare/none.bin",
        ".begun",
    ):
        assert get(f"{API}/files/download", path=path, **query).status_code == 404


def test_a_bucket_that_is_away_is_told(elsewhere: Mirror, get: Any, proxy: FaultyProxy) -> None:
    proxy.spoil("GET", "list-type", "refused", times=999)
    for route, query in (("models", {}), ("files", {"run_id": RUN_ID})):
        answer = get(f"{API}/{route}", dag_id=DAG_ID, **query)
        assert answer.status_code == 503
        assert "check the credentials" in answer.json()["detail"]
        assert "testing" not in answer.text
    asked = sum(fault.times for fault in proxy.faults)
    get(f"{API}/models", dag_id=DAG_ID)
    assert sum(fault.times for fault in proxy.faults) == asked, "it is not asked at each look"
