"""The shipped DAG over Celery with its home in a bucket: workers share nothing else, and one is lost on the way."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import redis_server
import stack as stacks
from bucket_server import BUCKET, FaultyProxy, client, proxied, s3_environment, s3_server
from celery_stack import cache_of, celery_stack, check_who_did_what, run_that_loses_a_worker
from stack import Stack
from tradewind.registry.store import Registry, models_path
from tradewind.run_dir import RunDir, run_path
from tradewind.store.address import home_of
from tradewind.store.mirror import complete, mirror_of
from tradewind_airflow.local.run import DAG_ID

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ADDRESS = f"s3://{BUCKET}/tradewind"


@pytest.fixture(scope="module")
def bucket() -> Iterator[FaultyProxy]:
    with s3_server() as endpoint, proxied(endpoint) as proxy:
        client(endpoint).create_bucket(Bucket=BUCKET)
        yield proxy


@pytest.fixture(scope="module")
def stack(bucket: FaultyProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if why := redis_server.missing():
        pytest.skip(why)
    if stacks.postgres_programs() is None:
        pytest.skip("Postgres is not installed")
    settings = s3_environment(bucket.address) | {"AWS_MAX_ATTEMPTS": "4", "TRADEWIND_HOME": ADDRESS}
    with (
        redis_server.redis(tmp_path_factory.mktemp("redis")) as (broker, _),
        celery_stack(broker, tmp_path_factory.mktemp("home"), settings) as found,
    ):
        yield found


@pytest.fixture
def elsewhere(bucket: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home on a machine that took no part."""
    for name, value in s3_environment(bucket.address).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRADEWIND_CACHE", str(tmp_path / "cache"))
    return home_of(ADDRESS)


def test_a_run_that_lost_a_worker_is_whole_in_the_bucket(
    stack: Stack, bucket: FaultyProxy, elsewhere: Path, tmp_path: Path
) -> None:
    bucket.spoil("PUT", "/blobs/", "unavailable", times=2)
    lost = cache_of(stack, "gpu-1") / elsewhere.name
    run = run_that_loses_a_worker(stack, lost, tmp_path / "recipe.yaml")
    check_who_did_what(run)
    mirror = mirror_of(elsewhere)
    assert mirror is not None
    mirror.refresh(f"runs/{DAG_ID}")
    here = RunDir(run_path(elsewhere, DAG_ID, run.run_id))
    complete(here.path)
    assert here.result("finetune").task_id == "finetune/2"
    assert not RunDir(run_path(lost, DAG_ID, run.run_id)).result_file("finetune").exists()
    # The same on a disk, from what three workers have made.
    alone = tmp_path / "alone"
    for name in ("prepare", "baseline", "finetune"):
        shutil.copytree(here.path / name, alone / name)
    shutil.copy(here.config_file, alone / "config.json")
    command = [sys.executable, "-m", "tradewind", "evaluate", "--run-dir", str(alone)]
    subprocess.run(command, check=True, capture_output=True)
    assert here.result("evaluate").hashes == RunDir(alone).result("evaluate").hashes
    registry = Registry(models_path(elsewhere, DAG_ID))
    registry.refresh()
    assert registry.names() == ["v1"]
    complete(registry.version("v1").path)
    registry.version("v1").verify()
