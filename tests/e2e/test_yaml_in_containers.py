"""Pipelines as YAML in a real Airflow: FastTrack's example in containers, and the whole pipeline from its export."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import engine as engines
from documents import REPOSITORY
from engine import Engine
from slack_server import SlackServer
from tradewind.pipeline.templates import shipped_templates
from tradewind.run_dir import RunDir, run_path
from tradewind_airflow.local.home import LocalHome
from tradewind_airflow.local.server import Server, free_port, started
from tradewind_airflow.pipeline.__main__ import main
from tries import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TOKEN = "xoxb-marker-5150"
QUICK = """
adapt: {enabled: false}
finetune: {num_train_epochs: 1, per_device_train_batch_size: 16, gradient_accumulation_steps: 1, max_length: 256}
evaluate: {encoder: "embedded:all-MiniLM-L6-v2", max_new_tokens: 8}
"""
BROKEN = "name: broken\ntasks:\n  - name: a\n    uses: finetun\n"
EDITED = """
name: edited
tasks:
  - {name: first, image: IMAGE, command: "until [ -e /hold/go ]; do sleep 0.1; done",
     network: none, mounts: [{source: HOLD, target: /hold}]}
  - {name: second, image: IMAGE, command: "echo before > /pipeline/outputs/o", network: none, dependencies: [first]}
"""


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackServer]:
    with SlackServer(TOKEN) as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pipelines")


@pytest.fixture(scope="module")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hold")


@pytest.fixture(scope="module")
def home(
    engine: Engine, slack: SlackServer, folder: Path, hold: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalHome]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HF_TOKEN", "OPENAI_API_KEY", "TRADEWIND_IMAGE", "TRADEWIND_SCHEDULE", "TRADEWIND_RECIPE"):
            patch.delenv(name, raising=False)
        patch.setenv("TRADEWIND_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("TRADEWIND_PIPELINES", str(folder))
        patch.setenv("TRADEWIND_MOUNT_ROOTS", f"{hold}")
        patch.setenv("DOCKER_HOST", engine.host)
        connection = {"conn_type": "slack", "password": TOKEN, "extra": {"base_url": slack.base_url}}
        patch.setenv("AIRFLOW_CONN_SLACK_API_DEFAULT", json.dumps(connection))
        patch.delenv("SLACK_TOKEN", raising=False)
        home = LocalHome(REPOSITORY)
        patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(REPOSITORY / "dags"))
        # As the template says it, but for an image that is here and a Slack that is.
        template = shipped_templates()["fasttrack"].read_text(encoding="utf-8")
        example = template.replace("python:3.11-slim", engines.BASE_IMAGE)
        example = example.replace("https://slack.com/api/", slack.base_url)
        example = example.replace("    secrets: [SLACK_TOKEN]\n", "    secrets: [SLACK_TOKEN]\n    network: host\n")
        (folder / "fasttrack.yaml").write_text(example, encoding="utf-8")
        (folder / "edited.yaml").write_text(edited(hold), encoding="utf-8")
        (folder / "broken.yaml").write_text(BROKEN, encoding="utf-8")
        assert main(["duplicate", "trade_qa", "trade_qa_again"]) == 0
        yield home


def edited(hold: Path) -> str:
    return EDITED.replace("IMAGE", engines.BASE_IMAGE).replace("HOLD", str(hold)).lstrip()


@pytest.fixture(scope="module")
def airflow(home: LocalHome) -> Iterator[Server]:
    with ExitStack() as opened:
        server = opened.enter_context(started(home, free_port()))
        server.log_in()
        wait_for(lambda: server.get("/dags/trade_qa_again").status_code == 200, "the folder is read", 120)
        yield server


def trigger(airflow: Server, dag_id: str, run_id: str, **conf: Any) -> None:
    wait_for(lambda: airflow.get(f"/dags/{dag_id}").status_code == 200, "the DAG is known", 120)
    airflow.send("PATCH", f"/dags/{dag_id}", {"is_paused": False})
    airflow.send("POST", f"/dags/{dag_id}/dagRuns", {"dag_run_id": run_id, "conf": conf, "logical_date": None})


def ended(airflow: Server, dag_id: str, run_id: str) -> str:
    def state() -> str:
        return str(airflow.get(f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}").json()["state"])

    wait_for(lambda: state() in ("success", "failed"), "the run has ended", 600)
    return state()


def test_the_guides_example_tells_job_and_accuracy_in_its_channel(
    airflow: Server, home: LocalHome, slack: SlackServer, folder: Path, engine: Engine
) -> None:
    trigger(airflow, "fasttrack_example", "job-1")
    assert ended(airflow, "fasttrack_example", "job-1") == "success"
    run = run_path(home.path, "fasttrack_example", "job-1")
    accuracy = (run / "tasks/model-training-task/result.txt").read_text().strip()
    assert re.fullmatch(r"0\.[0-9]+", accuracy)
    (message,) = slack.messages
    assert message == {
        "channel": "#notification",
        "text": f"Pipeline job(fasttrack_example/job-1) finished with accuracy {accuracy}",
    }
    text = (folder / "fasttrack.yaml").read_text(encoding="utf-8")
    assert (run / "pipeline.yaml").read_text(encoding="utf-8") == text
    assert json.loads((run / "pipeline.json").read_text())["file"] == "fasttrack.yaml"
    assert engine.containers() == []
    logs = (home.airflow / "logs").rglob("*.log")
    assert not [log for log in logs if TOKEN in log.read_text(encoding="utf-8")]


def test_a_broken_file_is_an_import_error_with_its_line(airflow: Server) -> None:
    def told() -> list[str]:
        errors = airflow.get("/importErrors").json()["import_errors"]
        return [error["stack_trace"] for error in errors if error["filename"].endswith("broken_pipelines.py")]

    (trace,) = wait_for(told, "the import error", 120)
    assert "broken.yaml:4: uses 'finetun': there is no such task of ours; did you mean 'finetune'?" in trace
    assert len(airflow.get("/importErrors").json()["import_errors"]) == 1


def test_a_run_goes_by_the_yaml_it_was_started_with(airflow: Server, home: LocalHome, folder: Path, hold: Path) -> None:
    trigger(airflow, "edited", "run-1")
    run = run_path(home.path, "edited", "run-1")
    wait_for((run / "pipeline.json").exists, "the first task has begun", 120)
    (folder / "edited.yaml").write_text(edited(hold).replace("before", "after"), encoding="utf-8")
    (hold / "go").touch()
    assert ended(airflow, "edited", "run-1") == "success"
    assert (run / "tasks/second/o").read_text() == "before\n"
    trigger(airflow, "edited", "run-2")
    assert ended(airflow, "edited", "run-2") == "success"
    assert (run_path(home.path, "edited", "run-2") / "tasks/second/o").read_text() == "after\n"


def test_the_shipped_dag_and_its_export_run_to_the_same_scores(
    airflow: Server, home: LocalHome, tmp_path: Path
) -> None:
    recipe = tmp_path / "quick.yaml"
    recipe.write_text(QUICK, encoding="utf-8")
    conf = {"recipe": str(recipe), "data": "embedded:ko", "seed": 7, "limit": 16}
    scores = {}
    for dag_id in ("trade_qa", "trade_qa_again"):
        trigger(airflow, dag_id, "quick", **conf)
        assert ended(airflow, dag_id, "quick") == "success", dag_id
        run = RunDir(run_path(home.path, dag_id, "quick"))
        results = {stage: run.result(stage) for stage in ("prepare", "finetune", "evaluate")}
        assert {result.status for result in results.values()} == {"success"}
        scores[dag_id] = (
            json.loads((run.path / "evaluate/scores.json").read_text()),
            results["prepare"].hashes,
            results["finetune"].hashes["model"],
        )
    assert scores["trade_qa"] == scores["trade_qa_again"]
    assert (run_path(home.path, "trade_qa_again", "quick") / "pipeline.yaml").exists()
