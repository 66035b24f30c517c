"""The run's first task: what it refuses, and what it writes down for the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowFailException

from tradewind.recipes import resolve
from tradewind.run_dir import RunDir
from tradewind.run_settings import read_settings
from tradewind_airflow.asked import Asked
from tradewind_airflow.operators.configure import ConfigureRunOperator
from tradewind_airflow.operators.gemma import GemmaBaselineOperator, GemmaEvaluateOperator, GemmaFinetuneOperator
from tradewind_airflow.operators.ray_stage import RayAdaptOperator
from tradewind_airflow.params import run_params

JOB = "trade_qa/manual__2026-11-20T02:00:00+00:00"


@pytest.fixture
def configure(tmp_path: Path, context: dict[str, Any]) -> Any:
    """Run the task as a run that was triggered with `conf` does."""

    def run(conf: dict[str, Any], tasks: Sequence[BaseOperator] = (), **more: Any) -> dict[str, Any]:
        form = ParamsDict(run_params())
        params = form.dump() | conf
        given = {name: params[name] for name in ("recipe", "data", "seed")} | more
        task = ConfigureRunOperator(task_id="configure", run_dir=str(tmp_path / "run"), **given)
        around = {
            "dag_run": SimpleNamespace(conf=conf),
            "dag": SimpleNamespace(params=form, tasks=tasks),
            "params": params,
        }
        return task.execute(context | around)  # type: ignore[arg-type]

    return run


def test_what_was_asked_for_is_resolved_and_written_down(configure: Any, tmp_path: Path) -> None:
    conf = {"data": "embedded:ko", "epochs": 2, "lora_rank": 8, "skip": ["baseline"], "force": True, "approval": "yes"}
    told = configure(conf)
    assert told == {
        "job_id": JOB, "recipe": "tiny", "data": "embedded:ko", "seed": 42, "skip": ["baseline"], "force": True,
    }  # fmt: skip
    settings = read_settings(RunDir(tmp_path / "run"))
    assert settings is not None
    stated = {"finetune.num_train_epochs": 2, "finetune.lora.r": 8, "gate.approval": True}
    assert settings.config == resolve("tiny", "embedded:ko", 42, stated)
    assert (settings.job_id, settings.skip, settings.force) == (JOB, ("baseline",), True)
    assert settings.params["epochs"] == 2
    assert settings.params["slack_channel"] == "#tradewind"
    assert len(json.dumps(told)) < 1000


THREE = {"nodes": 1, "gpus": 3}


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (GemmaFinetuneOperator(task_id="finetune", gpus=4), None),
        (GemmaEvaluateOperator(task_id="evaluate", cluster=THREE), None),
        (GemmaFinetuneOperator.partial(task_id="trials", cluster=THREE).expand(seed=[1, 2]), None),
        (GemmaFinetuneOperator(task_id="finetune", gpus=3), "finetune: 3 processes cannot share the 16 examples of "),
        (RayAdaptOperator(task_id="adapt", cluster=THREE), "adapt: 3 processes cannot share the 16 examples of a step"),
    ],
)
def test_gpus_that_cannot_share_the_recipes_steps_are_told_before_anything_runs(
    configure: Any, task: BaseOperator, told: str | None
) -> None:
    tasks = [ConfigureRunOperator(task_id="configure"), GemmaBaselineOperator(task_id="baseline"), task]
    if told is None:
        configure({}, tasks)
    else:
        with pytest.raises(AirflowFailException, match=f"^{told}"):
            configure({}, tasks)


@pytest.mark.parametrize("data", ["~nobody-of-that-name/documents", "documents\0"])
def test_documents_whose_path_cannot_be_are_named(configure: Any, data: str) -> None:
    with pytest.raises(AirflowFailException, match=r"^'.*documents.*': is no path: .*; write the whole path$"):
        configure({"data": data})


def test_the_dags_own_settings_stand_below_the_forms(configure: Any, tmp_path: Path) -> None:
    own = {"finetune.num_train_epochs": 1, "finetune.learning_rate": 0.01}
    configure({"epochs": 5}, overrides=own)
    settings = read_settings(RunDir(tmp_path / "run"))
    assert settings is not None
    finetune = settings.config.finetune
    assert (finetune.num_train_epochs, finetune.learning_rate) == (5, 0.01)


@pytest.mark.parametrize(
    ("conf", "told"),
    [
        ({"epoch": 3}, "conf: epoch: unknown key; did you mean 'epochs'?"),
        ({"epochs": -1}, "conf: epochs: -1 is less than the minimum of 0.01"),
        ({"skip": ["fintune"]}, "conf: skip: unknown value 'fintune'; did you mean 'finetune'?"),
        ({"recipe": "tinny"}, "recipe 'tinny': unknown; did you mean 'tiny'?"),
        ({"data": "/nowhere/at/all"}, "/nowhere/at/all: no such folder"),
        ({"data": "embedded:fr"}, "data 'embedded:fr': unknown"),
        ({"skip": ["prepare"]}, "skip: prepare was left out and no earlier run has a result of it that fits"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_spent(
    configure: Any, tmp_path: Path, conf: dict[str, Any], told: str
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        configure(conf)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "run.json").exists()


JUDGED = {"evaluate.judge": {"model": "m", "api_key_env": "TEAM_KEY"}}


@pytest.mark.parametrize(
    ("more", "missing"),
    [
        ({"secrets": {}}, True),
        ({"secrets": {"TEAM_KEY": "env:OTHER_NAME"}}, False),
        ({"secrets": {"TEAM_KEY": "env:NOT_SET"}}, True),
        ({}, False),  # without references it does not know where to look
    ],
)
def test_a_key_that_is_set_nowhere_is_told_at_once_and_not_shown(
    configure: Any, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], missing: bool
) -> None:
    monkeypatch.setenv("OTHER_NAME", "sk-not-to-be-seen")
    if missing:
        with pytest.raises(
            AirflowFailException, match=r"evaluate\.judge: the environment variable TEAM_KEY is not set"
        ):
            configure({}, overrides=JUDGED, **more)
    else:
        assert "sk-not-to-be-seen" not in json.dumps(configure({}, overrides=JUDGED, **more))


def test_a_container_does_not_have_the_workers_own_keys(configure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_KEY", "sk-of-the-worker")
    configure({}, overrides=JUDGED, secrets={})
    with pytest.raises(AirflowFailException, match="TEAM_KEY is not set"):
        configure({}, overrides=JUDGED, secrets={}, image="trainer:7")


def test_a_later_task_goes_by_it_though_the_recipe_was_edited_meanwhile(configure: Any, tmp_path: Path) -> None:
    recipe = tmp_path / "ours.yaml"
    recipe.write_text("finetune: {num_train_epochs: 4}\n")
    configure({"recipe": str(recipe), "learning_rate": 0.001, "skip": ["register"]})
    recipe.write_text("finetune: {num_train_epochs: 9}\n")
    run = RunDir(tmp_path / "run")
    given: dict[str, Any] = {"recipe": str(recipe), "data": "embedded:en", "seed": "42"}
    asked = Asked.of(run, JOB, **given, overrides={})
    assert (asked.config.finetune.num_train_epochs, asked.config.finetune.learning_rate) == (4, 0.001)
    assert (asked.resolved, asked.skip, asked.force) == (True, ("register",), False)
    own = Asked.of(run, JOB, **given, overrides={"finetune.learning_rate": 0.01})
    assert (own.config.finetune.num_train_epochs, own.config.finetune.learning_rate) == (4, 0.01)
    other = Asked.of(run, JOB, **given | {"seed": "7"}, overrides={})  # a task with settings of its own
    assert (other.config.finetune.num_train_epochs, other.config.seed, other.skip) == (9, 7, ("register",))
    foreign = Asked.of(run, "trade_qa/another_run", **given, overrides={})
    assert (foreign.config.finetune.num_train_epochs, foreign.resolved, foreign.skip) == (9, False, ())
