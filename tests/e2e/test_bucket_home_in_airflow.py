"""The shipped DAG with its home in a bucket: one worker begins a run, another that has nothing ends it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bucket_server import BUCKET, client, proxied, s3_environment, s3_server
from documents import REPOSITORY, SAMPLES
from tradewind.registry.store import Registry, models_path
from tradewind.run_dir import RunDir, run_path
from tradewind_airflow.local.home import LocalHome
from tradewind_airflow.local.run import DAG_ID, DagRun, set_paused, trigger
from tradewind_airflow.local.server import Server, free_port, started
from tries import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ADDRESS = f"s3://{BUCKET}/tradewind"
QUICK = """
split: {min_items: 2}
adapt: {enabled: false}
finetune: {num_train_epochs: 1, per_device_train_batch_size: 16, gradient_accumulation_steps: 1, max_length: 256}
evaluate: {encoder: "embedded:all-MiniLM-L6-v2", max_new_tokens: 8}
"""


@dataclass(frozen=True)
class WorkersHome(LocalHome):
    """Airflow's own files in a folder of the test's; its tasks wait for the API server on a busy machine."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder

    def environment(self, port: int, page_port: int | None = None) -> dict[str, str]:
        return super().environment(port, page_port) | {"AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as address:
        client(address).create_bucket(Bucket=BUCKET)
        yield address


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, endpoint: str) -> Iterator[LocalHome]:
    folder = tmp_path_factory.mktemp("workers")
    (folder / "quick.yaml").write_text(QUICK, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, proxied(endpoint) as proxy:
        proxy.spoil("PUT", "/blobs/", "unavailable", times=2)
        for name, value in (s3_environment(proxy.address) | {"AWS_MAX_ATTEMPTS": "4"}).items():
            patch.setenv(name, value)
        patch.setenv("TRADEWIND_HOME", ADDRESS)
        patch.setenv("TRADEWIND_CACHE", str(folder / "cache"))
        patch.setenv("TRADEWIND_RECIPE", str(folder / "quick.yaml"))
        patch.setenv("TRADEWIND_DATA", str(SAMPLES["ko"]))
        patch.setenv("TRADEWIND_SCHEDULE", "none")
        patch.delenv("SLACK_TOKEN", raising=False)
        yield WorkersHome(REPOSITORY, folder)


@pytest.fixture(scope="module")
def server(home: LocalHome) -> Iterator[Server]:
    with started(home, free_port()) as server:
        server.log_in()
        set_paused(server, False)
        yield server


def _states(run: DagRun) -> dict[str, str]:
    return {str(task["task_id"]): str(task["state"]) for task in run.tasks()}


def _lose_cache(home: LocalHome, name: str) -> Path:
    """From here on the machine is another one."""
    cache = home.path / "cache"
    return Path(shutil.move(cache, cache.with_name(name)))


@pytest.fixture(scope="module")
def handed_over(server: Server, home: LocalHome) -> DagRun:
    """A run whose second half another worker made."""
    run = trigger(server, {})
    wait_for(lambda: _states(run).get("finetune") in ("running", "success"), "finetune runs", 300)
    set_paused(server, True)
    half = ("finetune", "baseline", "announce")
    wait_for(lambda: {_states(run)[name] for name in half} <= {"success", "skipped"}, "the first half is done", 300)
    assert _states(run)["evaluate"] in ("None", "scheduled")
    _lose_cache(home, "first-worker")
    set_paused(server, False)
    wait_for(lambda: run.state() in ("success", "failed"), "the run has ended", 400)
    assert run.state() == "success", _states(run)
    return run


def test_the_second_worker_ends_it_as_one_machine_does(handed_over: DagRun, home: LocalHome, tmp_path: Path) -> None:
    here = RunDir(run_path(home.runs, DAG_ID, handed_over.run_id))
    first = RunDir(home.path / "first-worker" / home.runs.name / here.path.relative_to(home.runs))
    assert first.result_file("finetune").is_file()
    assert not first.result_file("evaluate").exists(), "which the second has made"
    assert here.result("evaluate").inputs["finetune/model"].sha256 == first.result("finetune").hashes["model"]
    # The same on a disk, from what the first worker itself has made.
    alone = tmp_path / "alone"
    for name in ("prepare", "baseline", "finetune"):
        shutil.copytree(first.path / name, alone / name)
    shutil.copy(first.config_file, alone / "config.json")
    command = [sys.executable, "-m", "tradewind", "evaluate", "--run-dir", str(alone)]
    subprocess.run(command, check=True, capture_output=True)
    assert here.result("evaluate").hashes == RunDir(alone).result("evaluate").hashes
    registry = Registry(models_path(home.runs, DAG_ID))
    assert registry.names() == ["v1"]
    registry.version("v1").verify()
