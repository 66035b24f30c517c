"""A sweep's own tasks: its first, its trials, and the choice."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowFailException

from sweeps import SETTINGS, SweptRun
from tradewind.results import StageResult
from tradewind.run_dir import RunDir
from tradewind.run_settings import RunSettings, read_settings, write_settings
from tradewind_airflow.operators.gemma import GemmaEvaluateOperator
from tradewind_airflow.operators.qa import QAConversionOperator
from tradewind_airflow.operators.sweep import ChooseTrialOperator, ConfigureSweepOperator, GemmaTrialOperator
from tradewind_airflow.skipped import skipped_stages
from tradewind_airflow.sweep import sweep_params


@pytest.fixture
def configure(tmp_path: Path, context: dict[str, Any]) -> Any:
    """Run the first task as a run that was triggered with these settings does."""

    def run(*settings: str, **conf: Any) -> Any:
        form = ParamsDict(sweep_params())
        conf = {"settings": list(settings), **conf}
        params = form.dump() | conf
        given = {name: params[name] for name in ("recipe", "data", "seed")}
        task = ConfigureSweepOperator(task_id="configure", run_dir=str(tmp_path / "run"), **given)
        dag = SimpleNamespace(params=form, tasks=[])
        around = {"dag_run": SimpleNamespace(conf=conf), "dag": dag, "params": params}
        return task.execute(context | around)  # type: ignore[arg-type]

    return run


def test_the_first_task_returns_what_trials_are_mapped_over(configure: Any, tmp_path: Path) -> None:
    mapped = configure("finetune.learning_rate=1e-4", "finetune.lora.r=8", epochs=2)
    assert mapped == [
        {"shard": "1/2", "overrides": {"finetune.learning_rate": "1e-4"}, "settings": "learning_rate=1e-4"},
        {"shard": "2/2", "overrides": {"finetune.lora.r": 8}, "settings": "lora.r=8"},
    ]
    settings = read_settings(RunDir(tmp_path / "run"))
    assert settings is not None
    assert settings.params["settings"] == ["finetune.learning_rate=1e-4", "finetune.lora.r=8"]
    assert settings.config.finetune.num_train_epochs == 2
    trials = [GemmaTrialOperator(task_id=f"trial_{number}", **each) for number, each in enumerate(mapped)]
    assert [str(trial.shard) for trial in trials] == ["1/2", "2/2"]


def test_a_setting_that_cannot_be_is_told_before_anything_is_written(configure: Any, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match=r"^trial 2: finetune.lora.ranks: unknown key; did you mean"):
        configure("finetune.lora.r=8", "finetune.lora.ranks=8")
    assert not (tmp_path / "run" / "run.json").exists()


def test_what_a_trial_needs_is_looked_for_as_what_the_run_does(configure: Any) -> None:
    with pytest.raises(AirflowFailException, match=r"^trial 2: finetune.report_to: wandb is not installed"):
        configure("finetune.lora.r=8", "finetune.report_to=[wandb]")


@pytest.fixture
def run(tmp_path: Path, context: dict[str, Any]) -> SweptRun:
    """A run whose first task has run."""
    swept = SweptRun(tmp_path / "run")
    job = f"{context['ti'].dag_id}/{context['ti'].run_id}"
    settings = RunSettings(
        job_id=job, config=swept.config, params={"settings": SETTINGS}, version="0.1.0",
        resolved_at="2026-11-23T02:00:00+00:00",
    )  # fmt: skip
    write_settings(swept.dir, settings)
    return swept


def _choose(run: SweptRun, results: Any, context: dict[str, Any]) -> dict[str, Any]:
    trials = None if results is None else [result.model_dump(mode="json") for result in results]
    task = ChooseTrialOperator(task_id="choose", trials=trials, run_dir=str(run.dir.path))
    return task.execute(context)  # type: ignore[arg-type]


def test_the_best_is_published_and_the_others_are_told(
    run: SweptRun, context: dict[str, Any], events: list[Any]
) -> None:
    first, second, _ = run.trials
    told = _choose(run, [run.train(first, 1.5), run.train(second, 1.25)], context)
    assert (told["chosen"], told["settings"], told["validation_loss"]) == ("2/3", "learning_rate=3e-4 lora.r=32", 1.25)
    assert run.weights().startswith("weights of learning_rate=3e-4")
    assert run.dir.result("finetune").task_id == "a_task/1"
    assert told["said"] in [str(event["event"]) for event in events]
    assert "lora.r=8 (failed)" in told["said"]


def test_what_trials_returned_before_they_were_cleared_is_not_chosen_among(run: SweptRun, context: Any) -> None:
    """Airflow keeps what a task returned until it starts again: it does not where what comes before it failed."""
    results = [run.train(trial, 1.5 - number / 10) for number, trial in enumerate(run.trials)]
    states: dict[str, str] = {}
    ti = SimpleNamespace(**vars(context["ti"]), get_task_states=lambda _, run_ids: {run_ids[0]: states})
    around = context | {"ti": ti, "dag": DAG("trade_qa_sweep", schedule=None)}
    states |= {"trials_0": "success", "trials_1": "success", "trials_2": "failed"}
    assert _choose(run, results, around)["chosen"] == "2/3"
    states |= dict.fromkeys(("trials_0", "trials_1", "trials_2"), "upstream_failed")
    with pytest.raises(AirflowFailException, match="none of 3 trials came to its end"):
        _choose(run, results, around)


@pytest.mark.parametrize("results", [None, []])
def test_without_a_trial_it_fails_and_no_retry_can_help(run: SweptRun, context: dict[str, Any], results: Any) -> None:
    with pytest.raises(AirflowFailException, match="none of 3 trials came to its end"):
        _choose(run, results, context)


def test_a_skipped_trial_is_not_a_skipped_stage_but_a_skipped_choice_is(tmp_path: Path) -> None:
    def skipped(**states: str) -> Any:
        ti = SimpleNamespace(dag_id="d", run_id="r", get_task_states=lambda *_, run_ids: {"r": states})
        return skipped_stages({"ti": ti, "dag": dag}, RunDir(tmp_path))  # type: ignore[typeddict-item]

    with DAG("d", schedule=None) as dag:
        QAConversionOperator.partial(task_id="extract").expand(shard=["1/2", "2/2"])
        mapped = GemmaTrialOperator.partial(task_id="trials").expand_kwargs(
            [{"shard": f"{number}/2", "overrides": {}, "settings": ""} for number in (1, 2)]
        )
        EmptyOperator(task_id="extract_notes")  # a task of the user's own
        ChooseTrialOperator(task_id="choose", trials=mapped.output) >> GemmaEvaluateOperator(task_id="evaluate")
    assert skipped(trials_0="skipped", trials_1="success") == set()
    assert skipped(choose="skipped") == {"finetune"}
    assert skipped(extract_1="skipped") == {"extract"}
    assert skipped(extract_0="success", extract_notes="skipped") == set()


def test_a_result_says_by_which_trial_it_was_made(run: SweptRun) -> None:
    made = run.train(run.trials[1], 1.5)
    assert made.folder == "finetune-2-of-3"
    assert StageResult.model_validate(made.model_copy(update=made.placed_as(run.trials[0].shard))).folder == (
        "finetune-1-of-3"
    )
