"""Nights that follow each other: the champion is compared with, the base answers once, an equal model stays out."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tradewind.files import read_jsonl
from tradewind.recipes import read_config
from tradewind.registry.register import NothingToRegister, Registered, register
from tradewind.registry.store import Registry, models_path
from tradewind.registry.version import CHAMPION_INPUT
from tradewind.reporting.contract import read_report
from tradewind.reuse.cached import remember, reuse
from tradewind.run_dir import RunDir
from tradewind.scores import Scores
from tradewind.stages import Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
_STAGES: tuple[Stage, ...] = ("prepare", "baseline", "finetune", "evaluate", "report")
QUICK = ("adapt.enabled=false", "finetune.num_train_epochs=4", "evaluate.max_new_tokens=48")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def _night(home: Path, name: str, *, seed: int = 42) -> tuple[RunDir, Registered]:
    """The stages of one run as Airflow starts them, then the registration."""
    run = RunDir(home / "runs" / "trade_qa" / name)
    models = models_path(home, "trade_qa")
    models.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"TRADEWIND_ANSWERS": str(home / "answers"), "TRADEWIND_MODELS": str(models)}
    settings = ["--recipe", "tiny", "--data", "embedded:en", "--seed", str(seed)]
    settings += [part for setting in QUICK for part in ("--set", setting)]
    for stage in _STAGES:
        stated = settings if stage == "prepare" else []
        command = [sys.executable, "-m", "tradewind", stage, "--run-dir", str(run.path), *stated]
        subprocess.run(command, env=environment, check=True)
    return run, register(Registry(models), run, who="a test")


@pytest.fixture(scope="module")
def first(home: Path) -> tuple[RunDir, Registered]:
    return _night(home, "first")


def test_the_first_night_has_the_base_answer_once_and_its_model_becomes_champion(
    first: tuple[RunDir, Registered],
) -> None:
    run, registered = first
    baseline, evaluate = run.result("baseline"), run.result("evaluate")
    assert baseline.metrics["generated"] == baseline.metrics["answers"] == evaluate.metrics["items"] > 100
    assert evaluate.metrics["generated"] == {"base": 0, "tuned": evaluate.metrics["items"]}
    answers = [row["answer"] for row in read_jsonl(run.published("baseline") / "answers.jsonl")]
    assert answers == [row["answers"]["base"] for row in read_jsonl(run.published("evaluate") / "predictions.jsonl")]
    assert registered.champion
    assert registered.version.record.decision.promote


def test_a_night_with_nothing_new_takes_all_and_registers_nothing(home: Path, first: tuple[RunDir, Registered]) -> None:
    for stage in _STAGES:
        remember(stage, first[0], code="code")
    config, models = read_config(first[0].config_file), models_path(home, "trade_qa")
    run = RunDir(home / "runs" / "trade_qa" / "nothing-new")
    for stage in _STAGES:
        began = time.process_time()  # whatever else the machine does
        found = reuse(
            stage, config, run, code="code", task=stage, job_id="trade_qa/n", task_id=f"{stage}/1", models=models
        )
        assert found is not None
        assert (found.status, found.source_run) == ("cached", "first")
        assert time.process_time() - began < 0.5
    with pytest.raises(NothingToRegister, match="nothing new: this run's model is v1, made by run first"):
        register(Registry(models), run, who="a test")
    # What was taken is as good as made here: the command line goes on from it.
    command = [sys.executable, "-m", "tradewind", "report", "--run-dir", str(run.path)]
    subprocess.run([*command, "--config", str(first[0].config_file)], check=True)
    report = read_report(run.published("report") / "report.json")
    outcomes = {summary.stage: summary.outcome for summary in report.stages}
    assert outcomes == dict.fromkeys(_STAGES[:4], "cached (from run first)")


def test_an_equal_model_is_not_compared_with_itself_and_not_promoted(
    home: Path, first: tuple[RunDir, Registered]
) -> None:
    run, registered = _night(home, "second")
    evaluate = run.result("evaluate")
    assert run.result("baseline").metrics["generated"] == 0
    # The same weights have answered these questions last night; they are no opponent of themselves.
    assert evaluate.metrics["generated"] == {"base": 0, "tuned": 0}
    assert CHAMPION_INPUT not in evaluate.inputs
    scores = Scores.model_validate_json((run.published("evaluate") / "scores.json").read_bytes())
    assert "champion" not in scores.models
    assert not registered.champion
    assert registered.version.record.decision.reasons == ("its weights are those of the champion, v1",)
    assert Registry(models_path(home, "trade_qa")).champion_name() == "v1"


def test_questions_that_the_champion_learnt_do_not_count_for_it(home: Path, first: tuple[RunDir, Registered]) -> None:
    """Another seed holds out other questions, most of which last night's model was trained on."""
    run, _ = _night(home, "third", seed=7)
    evaluate = run.result("evaluate")
    rows = read_jsonl(run.published("evaluate") / "predictions.jsonl")
    trained = {row["question"] for row in read_jsonl(first[0].published("prepare") / "train.jsonl")}
    known = [row for row in rows if "known_to" in row]
    assert 0 < len(known) == evaluate.metrics["known_to_champion"] < len(rows)
    assert {row["question"] for row in rows} & trained <= {row["question"] for row in known}
    scores = Scores.model_validate_json((run.published("evaluate") / "scores.json").read_bytes())
    for group in scores.groups:
        of_it = [row for row in rows if (row["kind"], row["language"]) == (group.kind, group.language)]
        fair = sum("known_to" not in row for row in of_it)
        metric = group.metric("semscore")
        assert metric.comparisons["base"].n == len(of_it)
        assert fair < len(of_it)
        if "champion" in metric.comparisons:
            assert metric.comparisons["champion"].n == fair
        else:
            assert fair < 8  # split.min_items
