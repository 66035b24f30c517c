"""Pairs drawn by mapped tasks of a real Airflow: one budget, counts in the page and the log, one data set."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from documents import REPOSITORY, SAMPLES
from llm_server import Faults, LlmServer
from tradewind.run_dir import RunDir, run_path
from tradewind.shard import Shard
from tradewind_airflow.local.home import LocalHome
from tradewind_airflow.local.run import DAG_ID, DagRun, set_paused, trigger
from tradewind_airflow.local.server import Server, free_port, started
from tries import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
RECIPE = """
extract:
  model: m
  base_url: {base_url}
  price: {{prompt: 1.0, completion: 4.0}}
  passage_tokens: 96
  overlap_tokens: 0
  shards: 3
  budget: {{requests: {requests}}}
adapt: {{enabled: false}}
finetune: {{num_train_epochs: 1, per_device_train_batch_size: 16, gradient_accumulation_steps: 1, max_length: 256}}
evaluate: {{encoder: "embedded:all-MiniLM-L6-v2", max_new_tokens: 16}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHome]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADEWIND_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("OPENAI_API_KEY", "key-of-the-test")
        for name in ("SLACK_TOKEN", "TRADEWIND_IMAGE", "TRADEWIND_ANSWERS"):
            patch.delenv(name, raising=False)
        yield LocalHome(REPOSITORY)


@pytest.fixture(scope="module")
def airflow(home: LocalHome) -> Iterator[Server]:
    with started(home, free_port()) as server:
        server.log_in()
        set_paused(server, False)
        yield server


@pytest.fixture
def lectures(tmp_path: Path) -> Path:
    source = SAMPLES["en"] / "transcript_data"
    folder = tmp_path / "documents" / "transcript_data"
    folder.mkdir(parents=True)
    for path in source.glob("*.txt"):
        shutil.copy(path, folder)
    return folder.parent


def _extracts(run: DagRun) -> list[dict[str, Any]]:
    return sorted(
        (task for task in run.tasks() if task["task_id"] == "extract"), key=lambda task: int(task["map_index"])
    )


def _tries(run: DagRun, task_id: str) -> int:
    return int(next(task["try_number"] for task in run.tasks() if task["task_id"] == task_id))


def test_shards_are_mapped_share_a_budget_and_make_one_data_set(
    airflow: Server, home: LocalHome, lectures: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "extract.yaml"
    with LlmServer(Faults(rate_limit=0.2)) as llm:
        recipe.write_text(RECIPE.format(base_url=llm.base_url, requests=30), encoding="utf-8")
        run = trigger(airflow, {"recipe": str(recipe), "data": str(lectures)})
        wait_for(lambda: run.state() in ("success", "failed"), "the run has ended", 300)
        assert run.state() == "failed"
        assert len(llm.served) == 30  # the three tasks' tries together; none went on alone
        assert "failed" in {task["state"] for task in _extracts(run)}

        recipe.write_text(RECIPE.format(base_url=llm.base_url, requests=1000), encoding="utf-8")
        clear, body = f"/dags/{DAG_ID}/clearTaskInstances", {"dry_run": False, "dag_run_id": run.run_id}
        airflow.send("POST", clear, body | {"task_ids": ["configure"], "only_failed": False})
        wait_for(lambda: run.state() == "failed" and _tries(run, "configure") == 2, "the recipe is read again", 120)
        airflow.send("POST", clear, body | {"only_failed": True})
        wait_for(lambda: run.state() == "running", "the run goes on", 60)
        wait_for(lambda: run.state() in ("success", "failed"), "the run has ended", 400)
        assert run.state() == "success", [(task["task_id"], task["state"]) for task in run.tasks()]
        assert not any(served.repeated for served in llm.served)

    extracts = _extracts(run)
    assert [task["state"] for task in extracts] == ["success"] * 3
    published = RunDir(run_path(home.path, DAG_ID, run.run_id))
    results = [published.result(Shard(index, 3).folder("extract")) for index in (1, 2, 3)]
    for task, result in zip(extracts, results, strict=True):
        seen = result.metrics
        counts = f"{result.shard}: {seen['answered']}/{seen['passages']} passages, {seen['pairs']} pairs"
        assert task["rendered_map_index"] == counts
        log = f"/dags/{DAG_ID}/dagRuns/{run.run_id}/taskInstances/extract/logs/{task['try_number']}"
        assert f"{counts}; the run so far: " in airflow.get(f"{log}?map_index={task['map_index']}").text
    last = max(result.metrics["bill"]["prompt_tokens"] for result in results)
    assert last == llm.bill.prompt_tokens
    drawn = sum(result.metrics["pairs"] for result in results)
    assert 0 < published.result("prepare").metrics["pairs"] <= drawn
    assert len(published.result("prepare").inputs) == 7
    assert (home.path / "answers" / "answers.sqlite3").is_file()
