"""A stage that need not run: made before from the same, left out on request, or skipped from outside."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from documents import SAMPLES
from tradewind.reuse.index import results_folder
from tradewind.run_dir import RunDir
from tradewind_airflow.operators.configure import ConfigureRunOperator
from tradewind_airflow.operators.gemma import GemmaAdaptOperator, GemmaBaselineOperator
from tradewind_airflow.operators.qa import QAConversionOperator
from tradewind_airflow.params import run_params

RECIPE = "split: {min_items: 2}\nadapt: {enabled: false}\n"  # the Korean samples are few


class Night:
    """One run of the pipeline, as far as these tests need it."""

    def __init__(self, home: Path, name: str, **conf: Any) -> None:
        recipe = home / "ours.yaml"
        if not recipe.exists():
            recipe.write_text(RECIPE)
        form = ParamsDict(run_params())
        self.params = form.dump() | {"recipe": str(recipe), "data": str(SAMPLES["ko"])} | conf
        self.run_id = name
        self.run_dir = RunDir(home / "runs" / "trade_qa" / name)
        self.tries: dict[str, int] = {}
        self.states: dict[str, str] = {}
        self.dag = DAG("trade_qa", schedule=None)
        triggered = SimpleNamespace(conf=conf)
        self.run(ConfigureRunOperator, "configure", dag_run=triggered, dag=SimpleNamespace(params=form, tasks=[]))

    def run(self, kind: Any, task_id: str, **context: Any) -> Any:
        """One try of a task."""
        number = self.tries[task_id] = self.tries.get(task_id, 0) + 1
        ti = SimpleNamespace(
            dag_id="trade_qa", run_id=self.run_id, task_id=task_id, try_number=number, map_index=-1, stats_tags={},
            get_task_states=lambda dag_id, run_ids: {run_ids[0]: self.states},
        )  # fmt: skip
        given = {name: self.params[name] for name in ("recipe", "data", "seed")}
        task = kind(task_id=task_id, run_dir=str(self.run_dir.path), **given)
        of_airflow = {"dag": self._dag()} if self.states else {}
        return task.execute({"ti": ti, "run_id": self.run_id, "params": self.params} | of_airflow | context)

    def prepare(self, *, cleared: int = 0) -> dict[str, Any]:
        return dict(self.run(QAConversionOperator, "prepare", dag_run=SimpleNamespace(clear_number=cleared)))

    def _dag(self) -> DAG:
        with DAG("trade_qa", schedule=None) as dag:
            QAConversionOperator(task_id="prepare") >> GemmaAdaptOperator(task_id="adapt")
        return dag


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path))
    return tmp_path


def _lines(events: list[Any]) -> list[str]:
    return [str(event["event"]) for event in events]


def test_the_second_night_takes_the_first_ones_result_and_starts_no_process(home: Path, events: list[Any]) -> None:
    first = Night(home, "first").prepare()
    assert first["status"] == "success"
    second = Night(home, "second")
    events.clear()
    again = second.prepare()
    assert (again["status"], again["source_run"], again["gpu_seconds"]) == ("cached", "first", 0)
    assert (again["job_id"], again["task_id"]) == ("trade_qa/second", "prepare/1")
    assert again["outputs"] == first["outputs"]
    assert again == second.run_dir.result("prepare").model_dump(mode="json")
    assert not any("prepare: start in" in line for line in _lines(events))
    third = Night(home, "third").prepare()
    assert third["source_run"] == "first"  # who made it, not who had it last


def test_force_and_a_clear_each_make_it_anew(home: Path) -> None:
    Night(home, "first").prepare()
    assert Night(home, "forced", force=True).prepare()["status"] == "success"
    cached = Night(home, "cleared")
    assert cached.prepare()["status"] == "cached"
    made = cached.prepare(cleared=1)  # its second try, of a task that has succeeded
    assert (made["status"], made["task_id"], made["source_run"]) == ("success", "prepare/2", None)


def test_what_a_try_published_whose_worker_was_lost_is_its_retrys(home: Path, events: list[Any]) -> None:
    night = Night(home, "first")
    made = night.prepare()
    shutil.rmtree(results_folder(night.run_dir) / "prepare")  # it was lost before it could enter its result
    events.clear()
    assert night.prepare() == made  # a retry: nobody has cleared the task
    assert "try prepare/1 has published its result already" in _lines(events)
    assert night.prepare() == made  # that one's worker was lost, too
    assert Night(home, "second").prepare()["status"] == "cached"
    assert night.prepare(cleared=1)["task_id"] == "prepare/4"


def test_so_is_what_it_took_from_an_earlier_run(home: Path) -> None:
    Night(home, "first").prepare()
    night = Night(home, "second")
    assert night.prepare()["status"] == "cached"
    again = night.prepare()
    assert (again["status"], again["source_run"]) == ("cached", "first")
    assert night.prepare(cleared=1)["status"] == "success"


def test_a_stage_that_is_left_out_is_skipped_and_says_whose_result_stands_there(home: Path) -> None:
    first = Night(home, "first").prepare()
    second = Night(home, "second", skip=["prepare"])
    with pytest.raises(AirflowSkipException, match="skipped on request; the result of run first stands in for it"):
        second.prepare()
    assert second.run_dir.result("prepare").model_dump(mode="json")["outputs"] == first["outputs"]


def test_left_out_without_an_earlier_result_nothing_stands_there(home: Path) -> None:
    night = Night(home, "first", skip=["baseline"])
    with pytest.raises(AirflowSkipException, match="baseline: left out on request; no earlier run has a result"):
        night.run(GemmaBaselineOperator, "baseline")
    assert not night.run_dir.published("baseline").exists()


def test_of_a_stage_that_was_skipped_from_outside_the_next_one_places_a_result(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tradewind_airflow")
    Night(home, "first").prepare()
    night = Night(home, "second")
    night.states = {"configure": "success", "prepare": "skipped"}
    with pytest.raises(AirflowSkipException, match=r"adapt\.enabled is false"):
        night.run(GemmaAdaptOperator, "adapt")
    assert "prepare: skipped; the result of run first stands in for it" in caplog.messages
    stands = night.run_dir.result("prepare")
    assert (stands.status, stands.source_run) == ("skipped", "first")


def test_skipped_from_outside_with_nothing_to_stand_in_the_next_one_fails_with_that_word(home: Path) -> None:
    night = Night(home, "first")
    night.states = {"configure": "success", "prepare": "skipped"}
    with pytest.raises(AirflowFailException, match="so adapt is without input; run prepare"):
        night.run(GemmaAdaptOperator, "adapt")
