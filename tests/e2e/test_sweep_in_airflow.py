"""Two sweeps in a real Airflow: a trial that fails, the best against the champion, one more setting the next time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from documents import REPOSITORY
from tradewind.registry.promotion import promote
from tradewind.registry.store import Registry, models_path
from tradewind.registry.version import CHAMPION_INPUT
from tradewind.run_dir import RunDir, run_path
from tradewind_airflow.local.home import LocalHome
from tradewind_airflow.local.server import Server, free_port, started
from tries import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2900)]

DAG_ID = "trade_qa_sweep"
LITTLE, MORE, MOST, TOO_SHORT = (
    "finetune.learning_rate=1e-5", "finetune.learning_rate=1e-3", "finetune.learning_rate=4e-3",
    "finetune.max_length=16",
)  # fmt: skip
QUICK = """
split: {min_items: 2}
adapt: {enabled: false}
finetune: {num_train_epochs: 1, per_device_train_batch_size: 16, gradient_accumulation_steps: 1, max_length: 256}
evaluate: {encoder: "embedded:all-MiniLM-L6-v2", max_new_tokens: 8}
"""


class PatientHome(LocalHome):
    """Its tasks wait for the API server on a busy machine."""

    def environment(self, port: int, page_port: int | None = None) -> dict[str, str]:
        return super().environment(port, page_port) | {"AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, korean_samples: Path) -> Iterator[LocalHome]:
    recipe = tmp_path_factory.mktemp("ours") / "quick.yaml"
    recipe.write_text(QUICK, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADEWIND_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("TRADEWIND_RECIPE", str(recipe))
        patch.setenv("TRADEWIND_DATA", str(korean_samples))
        patch.setenv("TRADEWIND_SWEEP_PARALLEL", "2")
        patch.delenv("SLACK_TOKEN", raising=False)
        yield PatientHome(REPOSITORY)


@pytest.fixture(scope="module")
def server(home: LocalHome) -> Iterator[Server]:
    with started(home, free_port()) as server:
        server.log_in()
        wait_for(lambda: server.get(f"/dags/{DAG_ID}").status_code == 200, "the DAG is there", 300)
        yield server


class Sweep:
    """One run of the DAG."""

    def __init__(self, server: Server, home: LocalHome, *settings: str) -> None:
        body: dict[str, object] = {"conf": {"settings": list(settings)}, "logical_date": None}
        self.run_id = str(server.send("POST", f"/dags/{DAG_ID}/dagRuns", body).json()["dag_run_id"])
        self._server, self._path = server, f"/dags/{DAG_ID}/dagRuns/{quote(self.run_id, safe='')}"
        self.run_dir = RunDir(run_path(home.path, DAG_ID, self.run_id))
        wait_for(lambda: self.state() in ("success", "failed"), f"run {self.run_id} has ended", 1400)

    def state(self) -> str:
        return str(self._server.get(self._path).json()["state"])

    def tasks(self) -> dict[str, dict[str, Any]]:
        found = self._server.get(f"{self._path}/taskInstances").json()["task_instances"]
        names = {"": "", **{str(index): f"[{index}]" for index in range(9)}}
        return {task["task_id"] + names.get(str(task["map_index"]), ""): task for task in found}


@pytest.fixture(scope="module")
def first(server: Server, home: LocalHome) -> Sweep:
    return Sweep(server, home, LITTLE, TOO_SHORT, MORE)


def test_the_best_goes_on_though_a_trial_failed(first: Sweep, home: LocalHome) -> None:
    tasks = first.tasks()
    states = {name: task["state"] for name, task in tasks.items()}
    assert first.state() == "success"
    assert [states[f"trials[{index}]"] for index in range(3)] == ["success", "failed", "success"]
    done = ("configure", "shards", "prepare", "baseline", "choose", "evaluate", "report", "register", "end")
    assert {name: states[name] for name in done} == dict.fromkeys(done, "success")
    labels = [tasks[f"trials[{index}]"]["rendered_map_index"] for index in range(3)]
    losses = [first.run_dir.result(f"finetune-{number}-of-3").metrics["validation_loss"] for number in (1, 3)]
    assert labels == [
        f"learning_rate=1e-5: loss {losses[0]:.3f}", "max_length=16", f"learning_rate=1e-3: loss {losses[1]:.3f}",
    ]  # fmt: skip
    assert losses[1] < losses[0]
    chosen = first.run_dir.result("finetune")
    assert (chosen.metrics["chosen"], chosen.config["finetune"]["learning_rate"]) == ("3/3", 1e-3)
    version = Registry(models_path(home.path, "trade_qa")).version("v1")
    assert version.record.model_sha256 == chosen.outputs["model"].sha256
    log = next(home.airflow.glob(f"logs/dag_id={DAG_ID}/run_id=*/task_id=notify/attempt=1.log")).read_text()
    assert "held-out questions" in log


def test_one_more_setting_is_tried_alone_and_compared_with_the_champion_of_trade_qa(
    first: Sweep, server: Server, home: LocalHome
) -> None:
    registry = Registry(models_path(home.path, "trade_qa"))
    promote(registry, "v1", who="a test", why="to have a champion", force=True)
    second = Sweep(server, home, MOST, MORE, LITTLE)
    assert second.state() == "success"
    results = [second.run_dir.result(f"finetune-{number}-of-3") for number in (1, 2, 3)]
    assert [result.status for result in results] == ["success", "cached", "cached"]
    assert str(second.tasks()["trials[1]"]["rendered_map_index"]).endswith(" (cached)")
    chosen = second.run_dir.result("finetune")
    assert chosen.metrics["chosen"] == "1/3"
    compared = second.run_dir.result("evaluate").inputs[CHAMPION_INPUT]
    assert compared.sha256 == registry.version("v1").record.model_sha256
    assert registry.version("v2").record.parent == "v1"
