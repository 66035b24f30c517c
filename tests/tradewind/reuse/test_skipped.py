"""A skipped stage's place is taken by the newest result that fits; where none does, what follows says so at once."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from quick_run import ORDER, QuickRun
from tradewind.errors import UserError
from tradewind.reuse.skipped import check_skips, fill_gaps, stand_in
from tradewind.stages import Stage

Nights = Callable[..., QuickRun]
OTHER = '[{"term": "CIF", "description": "Cost and freight."}]'


def _made(run: QuickRun, *, ago: float) -> QuickRun:
    """A whole run, published so many seconds ago."""
    run.run(force=True)
    for stage in ORDER:
        os.utime(run.dir.result_file(stage), (time.time() - ago,) * 2)
    return run


def test_the_newest_result_stands_in_and_says_whose_it_is(night: Nights) -> None:
    _made(night(luck="old"), ago=200)
    newer = _made(night(luck="newer"), ago=100)
    run = night()
    ended = run.run(skip=["adapt", "finetune"])
    assert (ended["adapt"], ended["finetune"], ended["evaluate"]) == ("stand-in", "stand-in", "cached")
    result = run.result("finetune")
    slug = newer.dir.path.name
    assert (result.status, result.source_run) == ("skipped", slug)
    assert result.reason == f"skipped on request; the result of run {slug} stands in for it"
    assert result.outputs == newer.result("finetune").outputs
    assert (result.gpu_seconds, result.config["seed"]) == (0.0, 42)
    assert run.consistent()


def test_settings_may_differ_and_the_result_keeps_those_it_was_made_with(night: Nights) -> None:
    _made(night(finetune__learning_rate=1e-3), ago=100)
    run = night(finetune__learning_rate=2e-3)
    ended = run.run(skip=["finetune"])
    assert (ended["finetune"], ended["evaluate"]) == ("stand-in", "cached")
    assert run.result("finetune").config["finetune"]["learning_rate"] == 1e-3
    assert run.consistent()


def test_a_result_of_other_inputs_does_not_fit(night: Nights, documents: Path) -> None:
    """The older model may have been trained on tonight's held-out questions."""
    _made(night(), ago=100)
    (documents / "term_data/a.json").write_text(OTHER)
    run = night()
    ended = run.run(skip=["finetune"])
    assert ended["finetune"] == "left out"
    assert not run.dir.published("finetune").exists()
    assert ended["evaluate"] == "made"  # of base and adapted
    assert run.consistent()


def test_a_skipped_prepare_stands_in_also_when_the_documents_changed(night: Nights, documents: Path) -> None:
    first = _made(night(), ago=100)
    (documents / "term_data/a.json").write_text(OTHER)
    run = night()
    ended = run.run(skip=["prepare"])
    assert ended["prepare"] == "stand-in"
    assert run.result("prepare").outputs == first.result("prepare").outputs
    assert [ended[stage] for stage in ORDER[1:]] == ["cached", "cached", "cached", "cached", "made"]
    assert run.consistent()


@pytest.mark.parametrize("changed", [{"model__model_revision": "v2"}, {"data": "embedded:en"}])
def test_another_base_or_other_documents_do_not_fit(night: Nights, changed: dict[str, str]) -> None:
    _made(night(), ago=100)
    run = night(**changed)
    assert run.task("prepare", skip=True) == "left out"
    with pytest.raises(UserError) as raised:
        run.task("baseline")
    assert str(raised.value) == (
        "skip: prepare was left out and no earlier run has a result of it that fits, so baseline is without input; "
        "run prepare, or leave baseline out as well"
    )


def test_a_stage_skipped_by_the_button_is_filled_by_the_next(night: Nights) -> None:
    first = _made(night(), ago=100)
    run = night()
    run.run("prepare", "baseline")
    assert run.run("finetune", "evaluate", "report") == {"finetune": "cached", "evaluate": "cached", "report": "made"}
    assert run.told == [f"adapt: skipped; the result of run {first.dir.path.name} stands in for it"]
    assert (run.result("adapt").status, run.result("adapt").task_id) == ("skipped", None)
    assert run.consistent()


def test_a_report_is_cached_only_for_a_run_that_skipped_the_same(night: Nights) -> None:
    """Which stages were skipped is what it tells."""
    _made(night(), ago=100)
    assert night().run(skip=["finetune"])["report"] == "made"
    assert night().run(skip=["finetune"])["report"] == "cached"
    assert night().run()["report"] == "cached"


def test_two_tasks_fill_the_same_gap_once(night: Nights) -> None:
    _made(night(), ago=100)
    run = night()
    assert [run.task("baseline"), run.task("adapt")] == ["cached", "cached"]
    assert len(run.told) == 1


def test_skipping_after_a_clear_takes_this_run_s_own_earlier_result(night: Nights) -> None:
    _made(night(luck="another night"), ago=100)
    run = night(luck="own")
    run.run(force=True)
    own = run.result("finetune").outputs
    assert run.run("finetune", "evaluate", "report", skip=["finetune"])["finetune"] == "stand-in"
    result = run.result("finetune")
    assert (result.status, result.source_run, result.outputs) == ("skipped", run.dir.path.name, own)
    assert run.consistent()


def test_an_earlier_try_s_result_that_does_not_fit_any_more_is_taken_away(night: Nights, documents: Path) -> None:
    run = night()
    run.run()
    (documents / "term_data/a.json").write_text(OTHER)
    ended = run.run(skip=["finetune"])
    assert (ended["finetune"], ended["evaluate"]) == ("left out", "made")
    assert "finetune/model" not in run.result("evaluate").inputs
    assert run.consistent()


def test_the_button_takes_it_away_too_where_the_task_s_state_is_told(night: Nights, documents: Path) -> None:
    run = night()
    run.run()
    (documents / "term_data/a.json").write_text(OTHER)
    run.run("prepare", "baseline", "adapt")
    told = fill_gaps("evaluate", run.config, run.dir, job_id=run.job_id, skipped=["finetune"])
    assert told == ["finetune: skipped; no earlier result fits"]
    assert run.run("evaluate", "report") == {"evaluate": "made", "report": "made"}
    assert run.consistent()


def test_what_airflow_does_not_know_as_skipped_is_left_alone(night: Nights) -> None:
    """A DAG without the task `adapt`, whose earlier runs had one."""
    _made(night(), ago=100)
    run = night()
    run.run("prepare")
    assert fill_gaps("finetune", run.config, run.dir, job_id=run.job_id, skipped=[]) == []
    assert not run.dir.published("adapt").exists()


def test_a_cleared_task_whose_result_stood_in_takes_it_from_the_cache_or_runs(night: Nights) -> None:
    _made(night(), ago=100)
    run = night()
    run.run(skip=["finetune"])
    assert run.task("finetune") == "cached"
    changed = night(finetune__learning_rate=1e-3)
    changed.run(skip=["finetune"])
    after: tuple[Stage, ...] = ("finetune", "evaluate", "report")
    assert changed.run(*after) == dict.fromkeys(after, "made")
    assert changed.consistent()


def test_what_stood_in_does_so_again_when_its_own_run_is_gone(night: Nights) -> None:
    first = _made(night(), ago=100)
    second, third = night(), night()
    assert second.run(skip=["finetune"])["finetune"] == "stand-in"
    shutil.rmtree(first.dir.path)
    assert third.run(skip=["finetune"])["finetune"] == "stand-in"
    assert third.result("finetune").source_run == first.dir.path.name


def test_a_damaged_result_gives_way_to_the_one_before(night: Nights) -> None:
    old = _made(night(), ago=200)
    newer = _made(night(), ago=100)
    (newer.dir.published("finetune") / "model/model.safetensors").write_text("cut")
    run = night()
    run.run("prepare", "adapt")
    assert run.task("finetune", skip=True) == "stand-in"
    assert run.result("finetune").source_run == old.dir.path.name
    (old.dir.result_file("finetune")).write_text("{")
    assert night().task("prepare") == "cached"


def test_a_stage_that_is_turned_off_needs_no_stand_in(night: Nights) -> None:
    _made(night(), ago=100)
    run = night(adapt__enabled=False)
    ended = run.run(skip=["adapt"])
    assert (ended["adapt"], ended["finetune"]) == ("left out", "made")
    assert run.consistent()


@pytest.mark.parametrize(
    ("skip", "stage", "lacking"),
    [
        (["prepare"], "baseline", "prepare"),
        (["adapt", "finetune"], "evaluate", "finetune"),
        (["evaluate"], "report", "evaluate"),
    ],
)
def test_without_any_earlier_run_it_is_certain_at_once(
    night: Nights, skip: list[Stage], stage: Stage, lacking: Stage
) -> None:
    run = night()
    told = f"skip: {lacking} was left out and no earlier run has a result of it that fits, so {stage} is without input"
    with pytest.raises(UserError, match=told):
        check_skips(skip, run.config, run.dir)
    with pytest.raises(UserError, match=told):
        run.run(skip=skip)


@pytest.mark.parametrize(
    "skip", [[], ["adapt"], ["finetune"], ["baseline"], ["report"], ["register"], ["evaluate", "report"], list(ORDER)]
)
def test_what_the_others_can_do_without_may_be_skipped_in_the_first_run(night: Nights, skip: list[Stage]) -> None:
    run = night()
    check_skips(skip, run.config, run.dir)
    ended = run.run(skip=skip)
    assert {stage for stage, how in ended.items() if how == "left out"} == set(skip) - {"register"}


@pytest.mark.parametrize("skip", [["prepare"], ["prepare", "adapt"], ["adapt", "finetune"], ["evaluate"]])
def test_with_an_earlier_run_nothing_is_certain_against_it(night: Nights, skip: list[Stage]) -> None:
    _made(night(), ago=100)
    run = night()
    check_skips(skip, run.config, run.dir)
    assert "left out" not in run.run(skip=skip).values()


def test_a_chain_of_skipped_stages_must_fit_together(night: Nights, documents: Path) -> None:
    """Finetune's only result was made from another prepare than the one that will stand."""
    older = _made(night(), ago=200)
    for stage in ("evaluate", "report"):
        shutil.rmtree(older.dir.published(stage))
    (documents / "term_data/a.json").write_text(OTHER)
    newer = night()
    newer.run("prepare")
    run = night()
    with pytest.raises(UserError, match=r"finetune was left out and .* so evaluate is without input"):
        check_skips(["prepare", "adapt", "finetune"], run.config, run.dir)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("prepar", "did you mean 'prepare'?"),
        ("promote", "there are extract, prepare, baseline, adapt, finetune, evaluate, report, register"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(night: Nights, name: str, hint: str) -> None:
    run = night()
    with pytest.raises(UserError) as raised:
        check_skips([name], run.config, run.dir)
    assert str(raised.value) == f"skip: '{name}' is no stage; {hint}"


def test_a_stand_in_of_a_run_that_does_not_exist_yet(night: Nights) -> None:
    run = night()
    assert stand_in("prepare", run.config, run.dir, job_id=run.job_id, task_id="prepare/1") is None
