"""The shipped DAG in a real Airflow on this machine: killed, cleared, run to its end, and shown afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tradewind.files import sha256_of
from tradewind.run_dir import RunDir, run_path
from tradewind_airflow.local.home import LocalHome
from tradewind_airflow.local.run import DAG_ID, DagRun, set_paused, trigger
from tradewind_airflow.local.server import Server, free_port, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

REPOSITORY = Path(__file__).parents[2]


def _wait(condition: Callable[[], Any], limit: float, what: str) -> Any:
    deadline = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {limit} s: {what}"
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHome]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADEWIND_HOME", str(tmp_path_factory.mktemp("home")))
        patch.delenv("SLACK_TOKEN", raising=False)
        yield LocalHome(REPOSITORY)


@pytest.fixture(scope="module")
def server(home: LocalHome) -> Iterator[Server]:
    with started(home, free_port()) as server:
        server.log_in()
        yield server


def _task(run: DagRun, task_id: str) -> dict[str, Any]:
    return next(task for task in run.tasks() if task["task_id"] == task_id)


def _stage_pid(run_dir: Path, stage: str) -> int:
    """The process that trains in the run directory, as its lock file says."""
    text = (run_dir / ".training.lock").read_text(encoding="utf-8")
    held = json.loads(text) if text else {}
    return int(held["pid"]) if held.get("stage") == stage else 0


def test_a_killed_and_cleared_finetune_resumes_and_the_run_ends_better_than_its_base(
    server: Server, home: LocalHome, tmp_path: Path
) -> None:
    set_paused(server, False)
    run = trigger(server, {"seed": 42})
    run_dir = run_path(home.path, DAG_ID, run.run_id)
    manifest = run_dir / ".finetune.work" / "checkpoints" / "checkpoint-50" / "verified.json"
    _wait(manifest.exists, 300, "a verified checkpoint of finetune")
    os.kill(_stage_pid(run_dir, "finetune"), signal.SIGKILL)
    _wait(lambda: _task(run, "finetune")["state"] == "up_for_retry", 60, "finetune has failed")
    body = {"dry_run": False, "task_ids": ["finetune"], "dag_run_id": run.run_id, "only_failed": False}
    server.send("POST", f"/dags/{DAG_ID}/clearTaskInstances", body)
    _wait(lambda: run.state() in ("success", "failed"), 400, "the run has ended")

    states = {task["task_id"]: task["state"] for task in run.tasks()}
    done = ("configure", "shards", "prepare", "baseline", "adapt", "finetune", "evaluate", "report", "register", "end")
    assert states == dict.fromkeys(done, "success") | dict.fromkeys(
        ("extract", "approve", "promote", "announce", "notify", "tell_promotion"), "skipped"
    )
    published = RunDir(run_dir)
    assert (published.result("finetune").resumed_from_step or 0) >= 50
    xcom = server.get(f"/dags/{DAG_ID}/dagRuns/{run.run_id}/taskInstances/finetune/xcomEntries/return_value").json()
    value = xcom["value"] if isinstance(xcom["value"], dict) else json.loads(xcom["value"])
    assert value == published.result("finetune").model_dump(mode="json")

    report = json.loads((run_dir / "report" / "report.json").read_text(encoding="utf-8"))
    reworded = report["scores"]["groups"][0]
    assert (reworded["kind"], reworded["headline"]) == ("reworded", "semscore")
    gain = next(metric for metric in reworded["metrics"] if metric["metric"] == "semscore")["comparisons"]["base"]
    assert gain["difference"] >= 0.25
    assert gain["low"] > 0
    assert report["scores"]["verdict"] == "better"

    # The same finetune without a kill, from the same inputs, ends with the same weights.
    again = tmp_path / "again"
    for name in ("prepare", "adapt"):
        shutil.copytree(run_dir / name, again / name)
    shutil.copy(run_dir / "config.json", again / "config.json")
    subprocess.run(
        [sys.executable, "-m", "tradewind", "finetune", "--run-dir", str(again)], check=True, capture_output=True
    )
    weights = "finetune/model/model.safetensors"
    assert sha256_of(again / weights) == sha256_of(run_dir / weights)


def test_the_message_stands_in_the_log_of_the_skipped_notify(server: Server, home: LocalHome) -> None:
    log = next(home.airflow.glob("logs/dag_id=trade_qa/run_id=*/task_id=notify/attempt=1.log")).read_text()
    assert "no SLACK_TOKEN and no connection" in log
    assert "held-out questions" in log


def test_the_run_is_shown_and_no_file_has_an_import_error(server: Server) -> None:
    runs = server.get(f"/dags/{DAG_ID}/dagRuns").json()["dag_runs"]
    assert [run["state"] for run in runs] == ["success"]
    assert server.get("/importErrors").json()["total_entries"] == 0
    task = f"/dags/{DAG_ID}/dagRuns/{runs[0]['dag_run_id']}/taskInstances/evaluate/logs/1"
    assert "evaluate: success" in server.get(task).text


QUICK = """
adapt: {num_train_epochs: 1, per_device_train_batch_size: 16, gradient_accumulation_steps: 1, max_length: 256}
finetune: {num_train_epochs: 1, per_device_train_batch_size: 16, gradient_accumulation_steps: 1, max_length: 256}
evaluate: {encoder: "embedded:all-MiniLM-L6-v2", max_new_tokens: 32}
"""


def test_the_command_of_make_run_prints_the_table_and_the_reports_path(
    tmp_path: Path, korean_samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "quick.yaml"
    recipe.write_text(QUICK, encoding="utf-8")
    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SLACK_TOKEN", raising=False)
    command = [sys.executable, "-m", "tradewind_airflow.local", "--project", str(REPOSITORY), "run"]
    command += ["--recipe", str(recipe), "--data", str(korean_samples), "--seed", "7"]

    def make_run() -> str:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "SemScore (blind)" in done.stdout  # the embedded encoder cannot judge Korean
        path = re.search(r"^report: (.+\.html)$", done.stdout, re.MULTILINE)
        assert path is not None
        assert Path(path[1]).is_file()
        return done.stdout

    stages = ("prepare", "baseline", "adapt", "finetune", "evaluate", "report")
    first = make_run()
    for stage in stages:
        assert re.search(rf"^  {stage} +made in \d+ s$", first, re.MULTILINE)
    assert "register success" in first
    assert "nothing new" not in first
    second = make_run()
    for stage in stages:
        assert re.search(rf"^  {stage} +cached, made by run manual__", second, re.MULTILINE)
    assert re.search(r"^nothing new: model and scores are those of run manual__", second, re.MULTILINE)
    assert second.partition("held-out")[2].splitlines()[:9] == first.partition("held-out")[2].splitlines()[:9]


def test_a_fault_of_input_is_told_before_airflow_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path / "home"))
    command = [sys.executable, "-m", "tradewind_airflow.local", "run", "--data", str(tmp_path / "absent")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"tradewind: {tmp_path / 'absent'}: no such folder; name the folder of your documents with --data"
    ]
    assert not (tmp_path / "home").exists()
