"""A trial that an earlier sweep of the DAG made is not made again, wherever it stood there."""

from __future__ import annotations

from pathlib import Path

from sweeps import SweptRun
from tradewind.results import Artifact, StageResult
from tradewind.reuse.cached import remember, reuse
from tradewind.sweep.choose import choose
from tradewind.sweep.trials import Trial

JOB = "trade_qa_sweep/second"
KNOWN = ["finetune.learning_rate=1e-4", "finetune.lora.r=8"]


def _reuse(run: SweptRun, trial: Trial) -> StageResult | None:
    return reuse(
        "finetune", trial.config, run.dir, code="code", task="trials[0]", job_id=JOB, task_id="trials[0]/1",
        shard=trial.shard,
    )  # fmt: skip


def test_one_more_setting_is_all_that_a_second_sweep_has_to_try(tmp_path: Path) -> None:
    first = SweptRun(tmp_path / "first", KNOWN)
    for trial, loss in zip(first.trials, (1.5, 1.2), strict=True):
        first.train(trial, loss)
        remember("finetune", first.dir, code="code", shard=trial.shard)
    second = SweptRun(tmp_path / "second", ["finetune.lora.r=16", *KNOWN[::-1]])
    new, *known = second.trials
    assert _reuse(second, new) is None
    results = {str(new.shard): second.train(new, 1.4)}
    for trial in known:
        found = _reuse(second, trial)
        assert found is not None
        assert (found.status, found.source_run, found.shard) == ("cached", "first", str(trial.shard))
        assert found.outputs["model"] == Artifact.of(second.dir.published(trial.folder) / "model", second.dir.path)
        results[str(trial.shard)] = found
    chosen = choose(second.dir, second.config, second.trials, results, job_id=JOB, task_id="choose/1")
    assert (chosen.metrics["chosen"], chosen.status, chosen.source_run) == ("2/3", "cached", "first")
    assert second.weights() == "weights of lora.r=8, 1"


def test_a_trial_compared_by_other_pairs_is_another(tmp_path: Path) -> None:
    first = SweptRun(tmp_path / "first", KNOWN)
    trial = first.trials[0]
    first.train(trial, 1.5)
    remember("finetune", first.dir, code="code", shard=trial.shard)
    second = SweptRun(tmp_path / "second", KNOWN)
    sweep = trial.config.sweep.model_copy(update={"validation": 0.2})
    other = Trial(trial.shard, {}, trial.config.model_copy(update={"sweep": sweep}), "")
    assert _reuse(second, other) is None
    assert _reuse(second, trial) is not None


def test_the_pipelines_own_finetune_is_no_trial(tmp_path: Path) -> None:
    first = SweptRun(tmp_path / "first", KNOWN)
    trial = first.trials[0]
    first.train(trial, 1.5)
    remember("finetune", first.dir, code="code", shard=trial.shard)
    second = SweptRun(tmp_path / "second", KNOWN)
    found = reuse("finetune", trial.config, second.dir, code="code", task="finetune", job_id=JOB, task_id="finetune/1")
    assert found is None
