"""A task's way to its stage's result, the same wherever the stage itself runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from airflow.sdk.exceptions import AirflowSkipException

from tradewind.config import RunConfig
from tradewind.results import StageResult
from tradewind.run_dir import RunDir
from tradewind.shard import DIVIDED, WHOLE, Shard
from tradewind.stages import STAGES, Stage
from tradewind_airflow import macros
from tradewind_airflow.asked import Asked
from tradewind_airflow.begun import begin
from tradewind_airflow.containers.identity import Identity
from tradewind_airflow.shared import complete_inputs, shared
from tradewind_airflow.skipped import skipped_stages
from tradewind_airflow.standing import standing_or_made
from tradewind_airflow.told import told

if TYPE_CHECKING:
    from airflow.sdk import Context

Make = Callable[[RunConfig, RunDir, Identity, str], StageResult]


class OfStage(Protocol):
    """What an operator of a stage says of it; see `StageOperator`."""

    stage: Stage
    shard: Shard
    recipe: str
    data: str
    seed: str | int
    overrides: dict[str, Any]
    run_dir: str
    models_dir: str | None


def checked_shard(stage: str, shard: str | None) -> Shard:
    """The part of the stage that a task does.

    Raises:
        ValueError: there is no such stage.
        TypeError: the stage has no parts.
        UserError: the shard is not of the form `2/8`.
    """
    if shard is not None and stage not in DIVIDED:
        raise TypeError(f"shard divides the stages {' and '.join(DIVIDED)}, not {stage}")
    if stage not in STAGES:
        raise ValueError(f"stage {stage!r} is unknown; stages are {', '.join(STAGES)}")
    return WHOLE if shard is None else Shard.parse(shard)


def check_limits(gpus: int, cpus: float | None) -> None:
    """TypeError or ValueError where these are no numbers of GPUs and of cores."""
    if isinstance(gpus, bool) or not isinstance(gpus, int) or gpus < 0:
        raise TypeError(f"gpus is how many the task needs, such as 1, not {gpus!r}")
    if cpus is not None and cpus <= 0:
        raise ValueError(f"cpus is a limit in cores, such as 2.5, not {cpus!r}")


def models_of(task: OfStage, identity: Identity) -> Path:
    """The models whose champion `evaluate` compares with."""
    return Path(task.models_dir or macros.models_dir(identity.dag_id))


def stage_result(
    task: OfStage,
    context: Context,
    *,
    code: Callable[[], str],
    make: Make,
    guard: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> dict[str, Any]:
    """The stage's `StageResult` as JSON: what stands already and will do, else what `make` makes.

    Args:
        code: by which code `make` will make it.
        make: runs the stage; its last argument is the try before this one which has published, but whose worker was
            lost, or empty.
        guard: turns the errors of what the stage runs on into Airflow's.

    Raises:
        AirflowFailException: a fault that no retry can mend, named in one line.
        AirflowException: the stage ended otherwise without a result; a retry resumes it.
        AirflowSkipException: the recipe turned the stage off, or the run leaves it out.
    """
    identity = Identity.of(context)
    run_dir = RunDir(Path(task.run_dir))
    models = models_of(task, identity)
    overrides: Mapping[str, Any] = task.overrides

    def made(config: RunConfig, lost: str) -> StageResult:
        complete_inputs(task.stage, run_dir, models)
        return make(config, run_dir, identity, lost)

    with shared(run_dir.path, models), told(run_dir.path), guard():
        asked = Asked.of(
            run_dir, identity.job_id, recipe=task.recipe, data=task.data, seed=task.seed, overrides=overrides
        )
        lost = begin(run_dir, task.shard.folder(task.stage), identity)
        result = standing_or_made(
            task.stage, asked, run_dir, identity, shard=task.shard, models=models,
            skipped=skipped_stages(context, run_dir), code=code, lost=lost,
            make=lambda: made(asked.config, lost),
        )  # fmt: skip
        if result.status == "skipped":
            raise AirflowSkipException(result.reason)
    return result.model_dump(mode="json")
