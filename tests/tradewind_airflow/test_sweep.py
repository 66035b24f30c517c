"""The sweep's form, its share of the GPUs, and its DAG."""

from __future__ import annotations

import copy
import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.definitions.param import ParamsDict

from scheduled import ScheduledRun
from tradewind.errors import UserError
from tradewind_airflow.params import check_conf, run_params
from tradewind_airflow.sweep import sweep_params, trials_at_once

_NUMBERS = count()
TRIAL = {"shard": "1/2", "overrides": {"finetune.learning_rate": "1e-4"}, "settings": "learning_rate=1e-4"}


def test_the_form_is_the_pipelines_with_settings_and_without_a_skip_of_what_is_tried() -> None:
    form = ParamsDict(sweep_params())
    form.validate()
    assert list(form) == ["settings", *run_params()]
    assert len(form["settings"]) == 2
    check_conf({"settings": ["finetune.lora.r=8", "finetune.lora.r=16"], "skip": ["baseline"]}, form)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"settings": ["finetune.lora.r=8"]}, "conf: settings: ['finetune.lora.r=8'] is too short"),
        ({"settings": "finetune.lora.r=8"}, "conf: settings: 'finetune.lora.r=8' is not of type 'array'"),
        ({"skip": ["finetune"]}, "conf: skip: unknown value 'finetune'"),
        ({"my_settings": []}, "conf: my_settings: unknown key; did you mean 'settings'?"),
    ]
    for conf, told in refused:
        with pytest.raises(UserError) as caught:
            check_conf(conf, form)
        assert str(caught.value).startswith(told)
    assert "finetune" in run_params()["skip"].schema["items"]["enum"]


@pytest.mark.parametrize(
    ("gpus", "there_are", "stated", "expected"),
    [(0, "0", "", 1), (1, "0,1,2", "", 3), (2, "0,1,2", "", 1), (4, "0", "", 1), (1, "none", "", 1), (1, "0", "5", 5)],
)  # fmt: skip
def test_as_many_trials_at_once_as_get_their_gpus(
    monkeypatch: pytest.MonkeyPatch, gpus: int, there_are: str, stated: str, expected: int
) -> None:
    monkeypatch.setenv("TRADEWIND_GPUS", there_are)
    monkeypatch.setenv("TRADEWIND_SWEEP_PARALLEL", stated)
    assert trials_at_once(gpus) == expected


@pytest.mark.parametrize("stated", ["0", "-1", "many", "1.5"])
def test_a_number_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, stated: str) -> None:
    monkeypatch.setenv("TRADEWIND_SWEEP_PARALLEL", stated)
    with pytest.raises(UserError, match=f"TRADEWIND_SWEEP_PARALLEL: '{stated}' is not a whole number from 1 to 1000"):
        trials_at_once(1)


@pytest.fixture
def dag(airflow_database: None, project: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("TRADEWIND_GPUS", "0,1,2,3")
    monkeypatch.setenv("TRADEWIND_TASK_GPUS", "2")
    monkeypatch.setenv("TRADEWIND_GPU_POOL", "gpus_of_this_host")
    bag = DagBag(str(project / "dags" / "trade_qa_sweep.py"))
    assert bag.import_errors == {}
    return bag.dags["trade_qa_sweep"]


def test_each_trial_has_its_share_of_the_gpus_and_a_name_in_the_grid(dag: Any) -> None:
    mapped = dag.get_task("trials")
    assert (mapped.max_active_tis_per_dagrun, mapped.pool, mapped.pool_slots) == (2, "gpus_of_this_host", 2)
    assert mapped.map_index_template == "{{ trial }}"
    trial = mapped.unmap(TRIAL)
    assert (trial.gpus, trial.stage, str(trial.shard), trial.shm_size) == (2, "finetune", "1/2", "2g")
    assert trial.overrides == TRIAL["overrides"]


def test_the_best_goes_where_the_pipelines_finetune_does(dag: Any) -> None:
    assert dag.schedule is None
    assert dag.get_task("trials").upstream_task_ids == {"adapt", "configure"}
    assert dag.get_task("choose").upstream_task_ids == {"trials"}
    assert dag.get_task("choose").trigger_rule == "all_done"
    assert dag.get_task("evaluate").upstream_task_ids == {"choose", "baseline"}
    assert dag.get_task("end").upstream_task_ids == {"promote"}


def test_it_serialises(dag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    text = json.dumps(DagSerialization.to_dict(dag))
    assert DagSerialization.from_dict(json.loads(text)).task_ids == dag.task_ids


@pytest.mark.parametrize("task_id", ["evaluate", "register", "promote", "approve", "notify", "tell_promotion"])
def test_champion_and_versions_are_those_of_trade_qa(
    dag: Any, context: dict[str, Any], task_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.execution_time import macros
    from airflow.sdk.plugins_manager import integrate_macros_plugins

    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path))
    context["ti"].xcom_pull = lambda **_: {}
    integrate_macros_plugins()
    task = copy.copy(dag.get_task(task_id))
    task.render_template_fields(context | {"dag": dag, "params": dag.params.dump(), "macros": macros})
    assert task.models_dir == str(tmp_path / "models" / "trade_qa")


@pytest.mark.parametrize(
    ("ends", "state", "chosen"),
    [
        ({}, "success", "success"),
        ({"trials[1]": "failed"}, "success", "success"),
        ({"trials[1]": "skipped"}, "success", "success"),
        ({"adapt": "skipped", "extract": "skipped"}, "success", "success"),
        ({"trials": "failed", "choose": "failed"}, "failed", "failed"),
        ({"evaluate": "failed"}, "failed", "success"),
    ],
)
def test_a_trial_that_fails_or_is_skipped_is_not_the_runs_end(
    dag: Any, ends: dict[str, str], state: str, chosen: str
) -> None:
    run = ScheduledRun(dag, f"sweep_{next(_NUMBERS)}", mapped={"configure": 3, "shards": 0})
    assert run.go_on(ends) == state
    states = run.states()
    assert states["choose"] == chosen
    assert sum(task.startswith("trials") for task in states) == 3
    assert states["notify"] == "success"
    assert states["evaluate"] == ("upstream_failed" if chosen == "failed" else ends.get("evaluate", "success"))
