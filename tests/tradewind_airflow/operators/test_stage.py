"""A stage as a task: its XCom, its faults, and what its constructor refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

import tradewind
from tradewind.results import StageResult
from tradewind_airflow.operators.gemma import GemmaAdaptOperator, GemmaEvaluateOperator, GemmaFinetuneOperator
from tradewind_airflow.operators.qa import QAConversionOperator
from tradewind_airflow.operators.report import ReportOperator
from tradewind_airflow.operators.stage import StageOperator

SAMPLES = Path(tradewind.__file__).parent / "samples" / "ko"


def _prepare(run_dir: Path, **changes: Any) -> QAConversionOperator:
    settings: dict[str, Any] = {"recipe": "tiny", "data": str(SAMPLES), "seed": "7", "run_dir": str(run_dir)}
    settings["overrides"] = {"split.min_items": 2}  # the Korean samples are few
    return QAConversionOperator(task_id="prepare", **settings | changes)


def test_the_xcom_is_the_published_result(tmp_path: Path, context: Context) -> None:
    value = _prepare(tmp_path).execute(context)
    assert value == json.loads((tmp_path / "prepare/result.json").read_text(encoding="utf-8"))
    result = StageResult.model_validate(value)
    assert (result.stage, result.status, result.seed) == ("prepare", "success", 7)
    assert (result.job_id, result.task_id) == ("trade_qa/manual__2026-11-20T02:00:00+00:00", "a_task/1")
    assert all((tmp_path / artifact.path).exists() for artifact in result.outputs.values())
    assert len(json.dumps(value)) < 16_000  # small enough for Airflow's database
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config == value["config"]
    assert (config["seed"], config["data_dir"], config["split"]["min_items"]) == (7, str(SAMPLES), 2)


def test_the_stages_lines_are_the_tasks_lines(tmp_path: Path, context: Context, events: list[Any]) -> None:
    _prepare(tmp_path).execute(context)
    lines = [event["event"] for event in events]
    assert any(f"prepare: start in {tmp_path}" in line for line in lines)
    assert any(line.startswith("prepare: success in") for line in lines)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"data": "/nowhere/at/all"}, "/nowhere/at/all"),
        ({"data": "embedded:fr"}, "embedded are embedded:en, embedded:ko"),
        ({"recipe": "tinny"}, "did you mean 'tiny'"),
        ({"recipe": "/nowhere/own.yaml"}, "/nowhere/own.yaml"),
        ({"overrides": {"finetune.learning_rat": 1}}, "finetune.learning_rat"),
        ({"overrides": {"split.min_items": 1000}}, "min_items"),
        ({"seed": "-1"}, "seed"),
        ({"seed": "many"}, "seed"),
    ],
)
def test_a_fault_of_input_is_one_line_and_never_retried(
    tmp_path: Path, context: Context, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        _prepare(tmp_path / "run", **changes).execute(context)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert not (tmp_path / "run/prepare").exists()


def test_a_stage_without_its_upstream_names_what_to_run_first(tmp_path: Path, context: Context) -> None:
    adapt = GemmaAdaptOperator(task_id="adapt", recipe="tiny", data=str(SAMPLES), seed=7, run_dir=str(tmp_path))
    with pytest.raises(AirflowFailException, match="run the stage 'prepare' first"):
        adapt.execute(context)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another live process that writes this run."""
    code = (
        "import sys; from pathlib import Path; from tradewind.lease import run_dir_lock\n"
        "with run_dir_lock(Path(sys.argv[1]), 'finetune'): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_busy_run_names_its_holder_and_may_be_retried(
    tmp_path: Path, context: Context, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(AirflowException) as caught:
        _prepare(tmp_path).execute(context)
    assert not isinstance(caught.value, AirflowFailException)
    assert f"process {holder.pid} on " in str(caught.value)
    assert "stage finetune" in str(caught.value)
    assert not (tmp_path / "prepare").exists()
    holder.kill()
    holder.wait()
    assert _prepare(tmp_path).execute(context)["status"] == "success"


def test_a_stage_that_is_turned_off_skips_its_task(tmp_path: Path, context: Context) -> None:
    overrides = {"split.min_items": 2, "adapt.enabled": False}
    _prepare(tmp_path, overrides=overrides).execute(context)
    adapt = GemmaAdaptOperator(
        task_id="adapt", recipe="tiny", data=str(SAMPLES), seed=7, overrides=overrides, run_dir=str(tmp_path)
    )
    with pytest.raises(AirflowSkipException, match=r"adapt\.enabled is false"):
        adapt.execute(context)
    assert json.loads((tmp_path / "adapt/result.json").read_text(encoding="utf-8"))["status"] == "skipped"
    assert adapt.trigger_rule == "none_failed"  # and so does what comes after one


def test_a_second_try_publishes_anew(tmp_path: Path, context: Context) -> None:
    first = _prepare(tmp_path).execute(context)
    second = _prepare(tmp_path, seed="8").execute(context)
    assert (first["seed"], second["seed"]) == (7, 8)
    assert first["outputs"]["train.jsonl"]["sha256"] != second["outputs"]["train.jsonl"]["sha256"]
    assert json.loads((tmp_path / "prepare/result.json").read_text(encoding="utf-8")) == second


@pytest.mark.parametrize(
    ("operator", "stage"),
    [
        (QAConversionOperator, "prepare"),
        (GemmaAdaptOperator, "adapt"),
        (GemmaFinetuneOperator, "finetune"),
        (GemmaEvaluateOperator, "evaluate"),
        (ReportOperator, "report"),
    ],
)
def test_each_operator_is_one_stage(operator: Callable[..., StageOperator], stage: str) -> None:
    made = operator(task_id="t")
    assert made.stage == stage
    assert {"recipe", "data", "seed", "overrides", "run_dir", "image"} <= set(made.template_fields)


GPUS = "gpus is how many the task needs, such as 1, not "
CPUS = "cpus is a limit in cores, such as 2.5, not "


CLUSTER = "cluster is such as {'nodes': 1, 'gpus': 2}, not "


@pytest.mark.parametrize("pool", ["", "gpus_of_this_host"])
@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"stage": "deploy"}, ValueError, "stage 'deploy' is unknown; stages are extract, prepare, baseline, adapt"),
        ({"gpus": "1"}, TypeError, GPUS),
        ({"gpus": ["0"]}, TypeError, GPUS),
        ({"gpus": 1.0}, TypeError, GPUS),
        ({"gpus": True}, TypeError, GPUS),
        ({"gpus": -1}, TypeError, GPUS),
        ({"gpus": None}, TypeError, GPUS),
        ({"cluster": 2}, TypeError, CLUSTER),
        ({"cluster": {"gpus": 2}}, TypeError, CLUSTER),
        ({"cluster": {"nodes": 1, "gpus": 2, "cpus": 4}}, TypeError, CLUSTER),
        ({"cluster": {"nodes": 1, "gpus": "2"}}, TypeError, "cluster: gpus is how many, such as 1, not '2'"),
        ({"cluster": {"nodes": True, "gpus": 2}}, TypeError, "cluster: nodes is how many, such as 2, not True"),
        ({"cluster": {"nodes": 0, "gpus": 2}}, TypeError, "cluster: nodes is how many, such as 2, not 0"),
        ({"cluster": {"nodes": 2, "gpus": 2}}, ValueError, "cluster: a task has the GPUs of one machine; nodes is 1"),
        ({"cluster": {"nodes": 1, "gpus": 2}, "gpus": 1}, TypeError, "cluster says 2 GPUs and gpus 1; state one of"),
        ({"cluster": {"nodes": 1, "gpus": 2}, "stage": "report"}, TypeError, "cluster is for the stages baseline, ad"),
        ({"cpus": 0}, ValueError, CPUS),
        ({"cpus": -1.5}, ValueError, CPUS),
        ({"mem_limit": "2g"}, TypeError, "StageOperator takes no mem_limit"),
        ({"retrieve_output": True}, TypeError, "StageOperator takes no retrieve_output"),
        ({"privileged": True}, TypeError, "StageOperator takes no privileged"),
        ({"device_requests": []}, TypeError, "StageOperator takes no device_requests"),
        ({"command": ["true"]}, TypeError, "StageOperator takes no command"),
        ({"secrets": {"HF_TOKEN": "hf-marker"}}, ValueError, r"secrets['HF_TOKEN'] is not 'connection:ID', "),
    ],
)
def test_the_constructor_refuses(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], error: type[Exception], words: str, pool: str
) -> None:
    monkeypatch.setenv("TRADEWIND_GPU_POOL", pool)
    with pytest.raises(error) as caught:
        StageOperator(**{"task_id": "t", "stage": "adapt"} | wrong)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("settings", "pool", "slots"),
    [
        ({"gpus": 2}, "gpus_of_this_host", 2),
        ({"gpus": 5}, "gpus_of_this_host", 3),  # no more than there are: such a task is to run and say why it fails
        ({"gpus": 0}, "default_pool", 1),
        ({"gpus": 2, "pool": "own", "pool_slots": 3}, "own", 3),
        ({"gpus": 2, "pool": "own"}, "own", 1),
        ({"gpus": 2, "default_args": {"pool": "own"}}, "own", 1),
    ],
)
def test_tasks_with_gpus_queue_in_their_own_pool_where_one_is_named(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], pool: str, slots: int
) -> None:
    monkeypatch.setenv("TRADEWIND_GPU_POOL", "gpus_of_this_host")
    monkeypatch.setenv("TRADEWIND_GPUS", "0,1,2")
    operator = GemmaAdaptOperator(task_id="adapt", **settings)
    assert (operator.pool, operator.pool_slots) == (pool, slots)


@pytest.mark.parametrize(
    ("settings", "queue"),
    [
        ({"gpus": 1}, "gpu"),
        ({}, "rest"),
        ({"gpus": 1, "queue": "own"}, "own"),
        ({"gpus": 1, "default_args": {"queue": "own"}}, "own"),
    ],
)
def test_tasks_with_gpus_go_to_their_own_queue_where_one_is_named(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], queue: str
) -> None:
    assert GemmaAdaptOperator(task_id="adapt", **settings).queue == (queue if queue == "own" else "default")
    monkeypatch.setenv("TRADEWIND_GPU_QUEUE", "gpu")
    monkeypatch.setenv("TRADEWIND_CPU_QUEUE", "rest")
    assert GemmaAdaptOperator(task_id="adapt", **settings).queue == queue


@pytest.mark.parametrize(
    ("stage", "settings", "processes"),
    [
        ("finetune", {}, 1),
        ("finetune", {"gpus": 1}, 1),
        ("finetune", {"gpus": 4}, 4),
        ("evaluate", {"cluster": {"nodes": 1, "gpus": 4}}, 4),
        ("prepare", {"gpus": 2}, 1),
    ],
)
def test_gpus_of_a_stage_with_a_model_each_have_a_process(stage: Any, settings: dict[str, Any], processes: int) -> None:
    operator = StageOperator(task_id="t", stage=stage, **settings)
    assert operator.processes == processes
    assert operator.gpus in (settings.get("gpus", 0), processes)


def test_without_a_pool_of_gpus_all_queue_together() -> None:
    operator = GemmaAdaptOperator(task_id="adapt", gpus=2)
    assert (operator.pool, operator.pool_slots) == ("default_pool", 1)


@pytest.mark.parametrize(
    ("stated", "rule"),
    [
        ({}, "none_failed"),
        ({"trigger_rule": "all_done"}, "all_done"),
        ({"default_args": {"trigger_rule": "all_done"}}, "all_done"),
    ],
)
def test_a_stage_goes_on_after_a_skipped_one_unless_the_dag_says_otherwise(stated: dict[str, Any], rule: str) -> None:
    assert StageOperator(task_id="t", stage="adapt", **stated).trigger_rule == rule
