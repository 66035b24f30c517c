"""Of a sweep's trials the best, put where the run's `finetune` stands."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.lease import run_dir_lock
from tradewind.results import StageResult
from tradewind.reuse.placed import place, placing
from tradewind.run_dir import RunDir
from tradewind.shard import WHOLE
from tradewind.stages import LANES
from tradewind.stages.stage_run import inputs_of
from tradewind.sweep.trials import Trial

log = logging.getLogger("tradewind")


def choose(
    run_dir: RunDir,
    config: RunConfig,
    trials: Sequence[Trial],
    finished: Mapping[str, StageResult],
    *,
    job_id: str,
    task_id: str,
) -> StageResult:
    """Publish the trial with the lowest validation loss as `finetune`; of equal ones the first.

    What it publishes is the trial's own model, which has not been trained on the pairs that the trials were compared
    by. A trial without a result is left out, and told as a warning.

    Args:
        config: the run's.
        finished: each trial's result by its shard, as its task returned it.

    Raises:
        UserError: no trial has a result; or one has another than its task returned, or was made from what has
            since been replaced.
    """
    began = time.monotonic()
    done = [trial for trial in trials if str(trial.shard) in finished]
    if not done:
        raise UserError(f"none of {len(trials)} trials came to its end, so there is nothing to choose; see their logs")
    inputs = {name: artifact.sha256 for name, artifact in inputs_of("finetune", config, run_dir).items()}
    results = {trial.shard: _checked(trial, finished[str(trial.shard)], run_dir, inputs) for trial in done}
    best = min(done, key=lambda trial: results[trial.shard].metrics["validation_loss"])
    winner = results[best.shard]
    warnings = [
        f"trial {trial.shard} ({trial.label}) failed, and the others were compared without it"
        for trial in trials
        if trial.shard not in results
    ]
    changes: dict[str, Any] = winner.placed_as(WHOLE) | {
        "job_id": job_id,
        "task_id": task_id,
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 3),
        "gpu_seconds": 0.0,
        "peak_memory_bytes": None,
        "metrics": winner.metrics | {"chosen": str(best.shard), "trials": [_row(item, results) for item in trials]},
        "warnings": (*winner.warnings, *warnings),
    }
    result = winner.model_copy(update=changes)
    with run_dir_lock(run_dir.path, "finetune", LANES["finetune"]), placing(run_dir):
        place(run_dir.published(best.folder), run_dir, "finetune", result)
    return result


def trials_line(metrics: Mapping[str, Any]) -> str | None:
    """The trials of a result that `choose` published, the best first, in one line; None for any other result."""
    rows = metrics.get("trials")
    if rows is None:
        return None
    scored = sorted((row for row in rows if row["validation_loss"] is not None), key=lambda row: row["validation_loss"])
    failed = [row for row in rows if row["validation_loss"] is None]
    said = [f"{row['settings']} (loss {row['validation_loss']:.3f})" for row in scored]
    said += [f"{row['settings']} (failed)" for row in failed]
    first, *others = said
    by = f"by the loss on {metrics['validation_pairs']} pairs that none was trained on"
    return f"the best of {len(rows)} settings {by}: {first}; others: {', '.join(others)}"


def _checked(trial: Trial, told: StageResult, run_dir: RunDir, inputs: Mapping[str, str]) -> StageResult:
    """The trial's result as it stands in the run."""
    path = run_dir.result_file(trial.folder)
    result = run_dir.result(trial.folder)
    made = {name: artifact.sha256 for name, artifact in result.inputs.items()}
    if (result.task_id, result.started_at) != (told.task_id, told.started_at):
        raise UserError(f"{path}: is not what the task of trial {trial.shard} returned; clear that trial")
    if made != inputs or result.config["finetune"] != trial.config.model_dump(mode="json")["finetune"]:
        raise UserError(f"{path}: was made from other data or settings than stand there now; clear that trial")
    return result


def _row(trial: Trial, results: Mapping[Any, StageResult]) -> dict[str, Any]:
    result = results.get(trial.shard)
    return {
        "trial": str(trial.shard),
        "settings": trial.label,
        "status": "failed" if result is None else result.status,
        "validation_loss": None if result is None else result.metrics["validation_loss"],
        "seconds": None if result is None else result.seconds,
    }
