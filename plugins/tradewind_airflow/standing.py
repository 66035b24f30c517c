"""A stage's result without running the stage, where an earlier run of the pipeline has one that will do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from pathlib import Path

from airflow.sdk.exceptions import AirflowSkipException

from tradewind.results import StageResult
from tradewind.run_dir import RunDir
from tradewind.shard import Shard
from tradewind.stages import Stage
from tradewind_airflow.asked import Asked
from tradewind_airflow.containers.identity import Identity

log = logging.getLogger("tradewind_airflow")


def standing_or_made(
    stage: Stage,
    asked: Asked,
    run_dir: RunDir,
    identity: Identity,
    *,
    shard: Shard,
    models: Path,
    skipped: Collection[Stage] | None,
    code: Callable[[], str],
    lost: str,
    make: Callable[[], StageResult],
) -> StageResult:
    """The stage's result: an earlier run's where one stands in for it or is made of the same, else its own.

    Args:
        models: those that `evaluate` finds the champion among.
        skipped: the stages before it whose tasks were skipped; None: where that is not known.
        code: by which code `make` will make it.
        lost: the try before this one which has published, but whose worker was lost; empty if there is none.

    Raises:
        AirflowSkipException: the stage is left out, and no earlier run's result fits.
        UserError: a stage before this one was left out, and this one cannot do without it.
    """
    from tradewind.reuse.cached import remember, reuse
    from tradewind.reuse.skipped import fill_gaps

    if not asked.resolved:
        return make()
    if stage in asked.skip:
        return left_out(stage, asked, run_dir, identity)
    for line in fill_gaps(stage, asked.config, run_dir, job_id=identity.job_id, skipped=skipped):
        log.info(line)
    made_by = code()  # before it is made: an image's name may mean another image afterwards
    found = None if asked.force else reuse(
        stage, asked.config, run_dir, code=made_by, task=identity.task, job_id=identity.job_id,
        task_id=identity.task_id, models=models if models.is_dir() else None, shard=shard, lost=lost,
    )  # fmt: skip
    if found is not None:
        log.info("%s: cached; the result of run %s, made of the same, stands here", stage, found.source_run)
        return found
    result = make()
    if result.status == "success":
        remember(stage, run_dir, code=made_by, shard=shard)
    return result


def left_out(stage: Stage, asked: Asked, run_dir: RunDir, identity: Identity) -> StageResult:
    """The earlier result that stands in for a stage which this run leaves out.

    Raises:
        AirflowSkipException: there is none; whether a later stage can do without is that one's to say.
    """
    from tradewind.reuse.skipped import stand_in

    found = stand_in(stage, asked.config, run_dir, job_id=identity.job_id, task_id=identity.task_id)
    if found is None:
        raise AirflowSkipException(f"{stage}: left out on request; no earlier run has a result that fits")
    log.info("%s: %s", stage, found.reason)
    return found
