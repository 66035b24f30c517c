"""A worker that is a container itself starts stages beside it, on the host's names of its own folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from docker.types import Mount

import engine as engines
from bucket_server import BUCKET, FaultyProxy, keys, s3_environment
from documents import REPOSITORY
from engine import Engine

pytestmark = pytest.mark.slow
_WORKER = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
import engine as engines
from pathlib import Path
from tries import context_of
from tradewind_airflow import macros
from tradewind_airflow.operators.qa import QAConversionOperator
operator = QAConversionOperator(
    task_id="prepare", recipe="tiny", data=sys.argv[2], seed=1, image=engines.BASE_IMAGE, network_mode="none",
    run_dir=macros.run_dir("trade_qa", "manual__1"), gpus=1, **engines.own_interpreter(),
)
os.makedirs("/runs/stores")
try:
    print("outcome", json.dumps(operator.execute(context_of(Path("/runs/stores/prepare")))))
except Exception as error:
    print("outcome", json.dumps({"status": type(error).__name__, "text": str(error)}))
"""


def _work(engine: Engine, data: str, network: str = "none", **environment: str) -> dict[str, str]:
    """Run the worker to its end with a volume at /runs; gives what its task returned or raised."""
    volume = engine.cli.create_volume("tradewind-test-runs")["Name"]
    socket = engine.host.removeprefix("unix://")
    own = engines.own_interpreter()
    mounts = [*own["mounts"], Mount("/runs", volume), Mount("/engine.sock", socket, "bind")]
    worker = engine.cli.create_container(
        engines.BASE_IMAGE,
        ["python", "-c", _WORKER, str(REPOSITORY / "tests"), data],
        host_config=engine.cli.create_host_config(mounts=mounts, network_mode=network),
        environment=own["env"] | {
            "DOCKER_HOST": "unix:///engine.sock", "AIRFLOW_HOME": "/tmp/airflow", "TRADEWIND_HOME": "/runs",
            "TRADEWIND_LEASE_DIR": "/runs/leases", "TRADEWIND_GPUS": "0",
            "TRADEWIND_MOUNT_ROOTS": engines.mount_roots(Path("/runs"), Path("/usr/share")),
            **environment,
        },
    )["Id"]  # fmt: skip
    try:
        engine.cli.start(worker)
        engine.cli.wait(worker)
        said = engine.cli.logs(worker).decode()
        outcome = [line for line in said.splitlines() if line.startswith("outcome ")]
        assert outcome, said[-3000:]
        found = dict(json.loads(outcome[0].removeprefix("outcome ")))
        results = list(Path(engine.cli.inspect_volume(volume)["Mountpoint"]).rglob("prepare/result.json"))
        assert len(results) == (found["status"] == "success")
        assert engine.containers() == []
        return found
    finally:
        engine.cli.remove_container(worker, force=True)
        engine.cli.remove_volume(volume, force=True)


def test_its_volume_is_found_on_the_host(engine: Engine) -> None:
    outcome = _work(engine, "embedded:en")
    assert (outcome["status"], outcome["task_id"]) == ("success", "prepare/1")


def test_of_a_home_in_a_bucket_its_volume_is_found_and_the_result_published(
    engine: Engine, proxy: FaultyProxy, endpoint: str
) -> None:
    """As the compose file has it: the local folder is a volume, and no mount root names it but the home's own."""
    outcome = _work(
        engine, "embedded:en", "host", TRADEWIND_HOME=f"s3://{BUCKET}/home", TRADEWIND_CACHE="/runs/cache",
        TRADEWIND_MOUNT_ROOTS=engines.mount_roots(), **s3_environment(endpoint),
    )  # fmt: skip
    assert (outcome["status"], outcome["task_id"]) == ("success", "prepare/1")
    (key,) = [key for key in keys(endpoint, "home/manifests/runs/trade_qa/manual__1-") if "/prepare/" in key]
    assert key.endswith("/prepare/00000001.json")


def test_a_folder_that_only_the_worker_has_is_refused(engine: Engine) -> None:
    outcome = _work(engine, "/usr/share")
    assert outcome["status"] == "AirflowFailException"
    assert "/usr/share: stands inside the worker's own container" in outcome["text"]
