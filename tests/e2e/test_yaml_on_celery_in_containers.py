"""FastTrack's example over Celery with a home in a bucket: one worker trains, another one tells what came of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine as engines
import redis_server
import stack as stacks
from airflow_stack.site import ENDED
from bucket_server import BUCKET, client, s3_environment, s3_server
from celery_stack import cache_of, celery_stack
from engine import Engine
from slack_server import SlackServer
from stack import Stack
from tradewind.pipeline.templates import shipped_templates
from tradewind.run_dir import run_path
from tradewind.store.address import home_of
from tries import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
TOKEN, ADDRESS, DAG_ID = "xoxb-marker-5150", f"s3://{BUCKET}/tradewind", "fasttrack_example"


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackServer]:
    with SlackServer(TOKEN) as server:
        yield server


@pytest.fixture(scope="module")
def stack(engine: Engine, slack: SlackServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if why := redis_server.missing():
        pytest.skip(why)
    if stacks.postgres_programs() is None:
        pytest.skip("Postgres is not installed")
    folder = tmp_path_factory.mktemp("pipelines")
    # As the template says it, but for an image that is here, a Slack that is, and a worker of its own for the training.
    text = shipped_templates()["fasttrack"].read_text(encoding="utf-8").replace("python:3.11-slim", engines.BASE_IMAGE)
    text = text.replace("https://slack.com/api/", slack.base_url)
    text = text.replace("    secrets: [SLACK_TOKEN]\n", "    secrets: [SLACK_TOKEN]\n    network: host\n")
    text = text.replace("    resources: {cpus: 1, memory: 1g}\n", "    queue: gpu\n")
    (folder / "fasttrack.yaml").write_text(text, encoding="utf-8")
    with s3_server() as endpoint, redis_server.redis(tmp_path_factory.mktemp("redis")) as (broker, _):
        client(endpoint).create_bucket(Bucket=BUCKET)
        settings = s3_environment(endpoint) | {
            "TRADEWIND_HOME": ADDRESS, "TRADEWIND_PIPELINES": str(folder), "TRADEWIND_MOUNT_ROOTS": str(folder),
            "DOCKER_HOST": engine.host, "SLACK_TOKEN": TOKEN,
        }  # fmt: skip
        with celery_stack(broker, tmp_path_factory.mktemp("home"), settings) as found:
            yield found


def test_the_guides_example_with_a_worker_for_each_task(stack: Stack, slack: SlackServer, engine: Engine) -> None:
    server = stack.server
    wait_for(lambda: server.get(f"/dags/{DAG_ID}").status_code == 200, "the pipeline is known", 120)
    server.send("PATCH", f"/dags/{DAG_ID}", {"is_paused": False})
    server.send("POST", f"/dags/{DAG_ID}/dagRuns", {"dag_run_id": "job-1", "conf": {}, "logical_date": None})
    run = f"/dags/{DAG_ID}/dagRuns/job-1"
    wait_for(lambda: server.get(run).json()["state"] in ENDED, f"its end; see {stack.home.airflow}", 180)
    tasks = {task["task_id"]: task for task in server.get(f"{run}/taskInstances").json()["task_instances"]}
    assert {name: (task["state"], task["unixname"]) for name, task in tasks.items()} == {
        "model-training-task": ("success", "gpu-1"), "slack-alarm-task": ("success", "cpu-1"),
    }  # fmt: skip
    folders = {
        name: run_path(home_of(ADDRESS, cache_of(stack, name)), DAG_ID, "job-1") for name in ("gpu-1", "cpu-1")
    }  # fmt: skip
    accuracy = (folders["gpu-1"] / "tasks/model-training-task/result.txt").read_text().strip()
    assert re.fullmatch(r"0\.[0-9]+", accuracy)
    assert [message["text"] for message in slack.messages] == [
        f"Pipeline job({DAG_ID}/job-1) finished with accuracy {accuracy}"
    ]
    for name in ("pipeline.yaml", "pipeline.json", "tasks/model-training-task/result.txt"):
        assert (folders["gpu-1"] / name).read_bytes() == (folders["cpu-1"] / name).read_bytes()
    assert json.loads((folders["cpu-1"] / "pipeline.json").read_text())["file"] == "fasttrack.yaml"
    assert engine.containers() == []
    written = [path for folder in folders.values() for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in [*written, *Path(stack.home.airflow, "logs").rglob("*.log")]
                if TOKEN.encode() in path.read_bytes()]  # fmt: skip
