"""Which trial goes on, and what stands in the run then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from sweeps import JOB, SweptRun
from tradewind.errors import UserError
from tradewind.results import Artifact, StageResult
from tradewind.stages.stage_run import inputs_of
from tradewind.sweep.choose import choose, trials_line


@pytest.fixture
def run(tmp_path: Path) -> SweptRun:
    return SweptRun(tmp_path / "run")


def _choose(run: SweptRun, results: Sequence[StageResult]) -> StageResult:
    finished = {str(result.shard): result for result in results}
    return choose(run.dir, run.config, run.trials, finished, job_id=JOB, task_id="choose/1")


def test_the_lowest_loss_stands_as_the_runs_finetune_and_all_are_told(run: SweptRun) -> None:
    results = [run.train(trial, loss) for trial, loss in zip(run.trials, (1.5, 1.2, 1.9), strict=True)]
    chosen = _choose(run, results)
    assert chosen == run.dir.result("finetune")
    assert run.weights() == "weights of learning_rate=3e-4 lora.r=32, 1"
    assert chosen.config == run.trials[1].config.model_dump(mode="json")
    assert (chosen.job_id, chosen.task_id, chosen.shard, chosen.status) == (JOB, "choose/1", None, "success")
    folder = run.dir.published("finetune") / "model"
    assert chosen.outputs["model"] == Artifact.of(folder, run.dir.path)
    assert inputs_of("evaluate", run.config, run.dir)["finetune/model"] == chosen.outputs["model"]
    assert chosen.metrics["steps"] == 10
    assert chosen.metrics["chosen"] == "2/3"
    assert [(row["settings"], row["validation_loss"]) for row in chosen.metrics["trials"]] == [
        ("learning_rate=1e-4", 1.5), ("learning_rate=3e-4 lora.r=32", 1.2), ("lora.r=8", 1.9),
    ]  # fmt: skip
    assert trials_line(chosen.metrics) == (
        "the best of 3 settings by the loss on 8 pairs that none was trained on: learning_rate=3e-4 lora.r=32 "
        "(loss 1.200); others: learning_rate=1e-4 (loss 1.500), lora.r=8 (loss 1.900)"
    )
    assert trials_line(results[0].metrics) is None
    # The trials stay as they are: a cleared `choose` finds them.
    assert _choose(run, results).outputs == chosen.outputs


def test_of_equal_ones_the_first_is_chosen(run: SweptRun) -> None:
    assert _choose(run, [run.train(trial, 1.5) for trial in run.trials]).metrics["chosen"] == "1/3"


def test_a_trial_that_failed_does_not_stop_the_others(run: SweptRun) -> None:
    first, _, third = run.trials
    chosen = _choose(run, [run.train(first, 1.5), run.train(third, 1.4)])
    assert chosen.metrics["chosen"] == "3/3"
    assert chosen.metrics["trials"][1] == {
        "trial": "2/3", "settings": "learning_rate=3e-4 lora.r=32", "status": "failed", "validation_loss": None,
        "seconds": None,
    }  # fmt: skip
    assert chosen.warnings == (
        "of lora.r=8",
        "trial 2/3 (learning_rate=3e-4 lora.r=32) failed, and the others were compared without it",
    )
    assert "learning_rate=3e-4 lora.r=32 (failed)" in str(trials_line(chosen.metrics))


def test_what_an_earlier_try_of_a_failed_trial_left_is_not_chosen(run: SweptRun) -> None:
    first, second, _ = run.trials
    run.train(first, 0.1)
    assert _choose(run, [run.train(second, 1.5)]).metrics["chosen"] == "2/3"


def test_where_none_came_to_its_end_nothing_is_published(run: SweptRun) -> None:
    with pytest.raises(UserError, match="none of 3 trials came to its end"):
        _choose(run, [])
    assert not run.dir.result_file("finetune").exists()


def test_a_trial_of_other_pairs_or_of_another_try_is_refused(run: SweptRun) -> None:
    results = [run.train(trial, 1.5) for trial in run.trials]
    run.train(run.trials[1], 1.1, attempt=2)
    with pytest.raises(UserError, match=r"finetune-2-of-3/result\.json: is not what the task of trial 2/3 returned"):
        _choose(run, results)
    results[1] = run.dir.result("finetune-2-of-3")
    run.prepare("other pairs")
    with pytest.raises(UserError, match=r"finetune-1-of-3/result\.json: was made from other data or settings"):
        _choose(run, results)


def test_a_winner_that_an_earlier_sweep_made_is_told_as_such(run: SweptRun) -> None:
    first, second, third = run.trials
    results = [run.train(first, 1.5, status="cached"), run.train(second, 1.6), run.train(third, 1.7)]
    chosen = _choose(run, results)
    assert (chosen.status, chosen.source_run, chosen.gpu_seconds) == ("cached", "an_earlier_run", 0.0)
