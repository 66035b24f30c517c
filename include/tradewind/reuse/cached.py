"""A result of an earlier run in the place of work that would make the same.

What a server answers counts as the same, too: with a judge or an extracting model, equal inputs, settings and code
take the earlier result, just as the stage itself would take the answers that were paid for. A model that its owner
changes under one name is not noticed then; the judge's agreement with its anchors is measured again whenever there
is something new to judge. `force` asks everything anew that is not among the kept answers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.registry.store import Registry
from tradewind.registry.version import CHAMPION_INPUT
from tradewind.results import Artifact, StageResult
from tradewind.reuse.documents import DOCUMENTS, documents_of, texts_of
from tradewind.reuse.hashes import FileHashes
from tradewind.reuse.index import enter, find, results_folder
from tradewind.reuse.key import ANY_CHAMPION, key_of, local_model
from tradewind.reuse.placed import place, placing
from tradewind.run_dir import RunDir
from tradewind.shard import WHOLE, Shard
from tradewind.stages import STAGES, Stage
from tradewind.stages.stage_run import inputs_of
from tradewind.sweep.choose import trials_line

log = logging.getLogger("tradewind")


def reuse(
    stage: Stage,
    config: RunConfig,
    run_dir: RunDir,
    *,
    code: str,
    task: str,
    job_id: str,
    task_id: str,
    models: Path | None = None,
    shard: Shard = WHOLE,
    lost: str = "",
) -> StageResult | None:
    """Publish an earlier run's result for this stage, if one of the same DAG has the same key.

    Args:
        code: what the stage is, such as `package_digest()` or a container image's id.
        task: the task's id without its try. Where a result of this very task stands in the run already, the task
            was cleared, and is to run anew.
        task_id: the task's id with its try.
        lost: the try, as `task_id`, whose end was never told: that it took an earlier result is no sign of a clear.
        models: the pipeline's registry, whose champion `evaluate` compares with.

    Returns:
        The result as it stands in this run now; None where the stage must run. A fault is a warning and None.
    """
    folder = shard.folder(stage)
    if _has_ended(run_dir, folder, job_id, task, lost):
        log.info("%s: came to its end in this run before, so no earlier run's result is used", folder)
        return None
    began = time.monotonic()
    try:
        results_folder(run_dir).mkdir(parents=True, exist_ok=True)
        with FileHashes(results_folder(run_dir)) as hashes:
            inputs = inputs_of(stage, config, run_dir, hashes.of) | _read_outside(stage, config, hashes)
            champion = _champion(stage, inputs, models)
            told = _told(stage, run_dir)
            key = key_of(stage, config, inputs, hashes, code=code, shard=shard, champion=champion, told=told)
        with placing(run_dir):
            found = find(run_dir, stage, key)
            if found is None:
                return None
            source, made = found
            if source.path == run_dir.path:  # another try has placed it in this moment; or this run has made it
                return made if (made.folder, made.status) == (folder, "cached") else None
            result = _as_cached(made, config, source=source, inputs=inputs, job_id=job_id, task_id=task_id, began=began)
            result = result.model_copy(update=made.placed_as(shard))  # a trial may have been another one of its sweep
            place(source.published(made.folder), run_dir, folder, result)
    except (UserError, OSError) as error:
        log.warning("%s: no earlier result is used: %s", folder, error)
        return None
    remember(stage, run_dir, code=code, shard=shard)  # so that it is found as long as the newest run that has it stays
    return result


def remember(stage: Stage, run_dir: RunDir, *, code: str, shard: Shard = WHOLE) -> None:
    """Have what the stage published found by later runs; a fault is a warning.

    Not kept is what a later run had better make itself: a result of documents or of a model that changed meanwhile,
    and one that lacks passages or verdicts which a server may answer another time.
    """
    folder = shard.folder(stage)
    try:
        result = run_dir.result(folder)
        why = _not_kept(result)
        if why is None:
            config = RunConfig.model_validate(result.config)
            why = _model_changed(stage, config, result)
        if why is not None:
            log.info("%s: is not kept for later runs: %s", folder, why)
            return
        results_folder(run_dir).mkdir(parents=True, exist_ok=True)
        told = _told(stage, run_dir)
        with FileHashes(results_folder(run_dir)) as hashes:
            for champion in _champions(result):
                key = key_of(stage, config, result.inputs, hashes, code=code, shard=shard, champion=champion, told=told)
                enter(run_dir, stage, folder, key, result)
    except (UserError, OSError, ValidationError) as error:
        log.warning("%s: is not kept for later runs: %s", folder, error)


def _has_ended(run_dir: RunDir, folder: str, job_id: str, task: str, lost: str) -> bool:
    """Whether this very task has come to its end in this run before."""
    try:
        own = run_dir.result(folder)
    except UserError:  # none, or a damaged one
        return False
    made_by = own.task_id or ""
    is_own = (own.job_id, made_by.rpartition("/")[0]) == (job_id, task)
    return is_own and (own.status == "success" or (own.status == "cached" and made_by != lost))


def _read_outside(stage: Stage, config: RunConfig, hashes: FileHashes) -> dict[str, Artifact]:
    """What the stage reads besides other stages' outputs."""
    if stage == "prepare":
        return {DOCUMENTS: documents_of(config, hashes)}
    return {DOCUMENTS: texts_of(config, hashes)} if stage == "extract" and config.extract is not None else {}


def _told(stage: Stage, run_dir: RunDir) -> dict[str, Any]:
    """What the report tells of the stages before it besides what they made."""
    if stage != "report":
        return {}
    there = (before for before in STAGES if before != stage and run_dir.result_file(before).is_file())
    results = [run_dir.result(before) for before in there]
    return {
        "stand-ins": {result.stage: result.source_run for result in results if result.status == "skipped"},
        "warnings": [warning for result in results for warning in result.warnings],
        "trials": next((trials_line(result.metrics) for result in results if result.stage == "finetune"), None),
    }


def _champion(stage: Stage, inputs: Mapping[str, Artifact], models: Path | None) -> str | None:
    """The hash of the model that `evaluate` would compare with.

    The champion may be the very model that this run has: then it is no opponent, and an evaluation against any
    other, such as the one that it became champion by, says all there is to say.
    """
    if stage != "evaluate" or models is None:
        return None
    champion = Registry(models).champion()
    if champion is None:
        return None
    tuned = inputs.get("finetune/model")
    sha256 = champion.record.model_sha256
    return ANY_CHAMPION if tuned is not None and tuned.sha256 == sha256 else sha256


def _champions(result: StageResult) -> list[str | None]:
    """Under which champions the result is found."""
    opponent = result.inputs.get(CHAMPION_INPUT)
    own = None if opponent is None else opponent.sha256
    return [own, ANY_CHAMPION] if result.stage == "evaluate" else [own]


def _as_cached(
    made: StageResult,
    config: RunConfig,
    *,
    source: RunDir,
    inputs: Mapping[str, Artifact],
    job_id: str,
    task_id: str,
    began: float,
) -> StageResult:
    """The result for this run; what was made, from what and with which versions stays as it was."""
    opponent = {CHAMPION_INPUT: made.inputs[CHAMPION_INPUT]} if CHAMPION_INPUT in made.inputs else {}
    changes: dict[str, Any] = {
        "job_id": job_id,
        "task_id": task_id,
        "status": "cached",
        "reason": None,  # of a run in which its own result stood in for the stage
        "source_run": made.source_run or source.path.name,
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 3),
        "gpu_seconds": 0.0,
        "peak_memory_bytes": None,
        "seed": config.seed,
        "config": config.model_dump(mode="json"),
        "inputs": {**inputs, **opponent},
        "resumed_from_step": None,
    }
    return made.model_copy(update=changes)


def _not_kept(result: StageResult) -> str | None:
    if result.status == "skipped":
        return result.reason or "it was skipped"
    if result.stage in ("prepare", "extract") and DOCUMENTS not in result.inputs:
        return "the documents changed while they were read"
    if left := result.metrics.get("left_to_ask", 0):
        return f"{left} questions to a server may have an answer another time"
    return None


def _model_changed(stage: Stage, config: RunConfig, result: StageResult) -> str | None:
    """A model's folder that was written to since the stage began: nobody knows which of its states was read."""
    named = {"evaluate": config.evaluate.encoder, "extract": config.evaluate.encoder}
    began = datetime.fromisoformat(result.started_at).timestamp()
    for name in (config.model.model_name_or_path, named.get(stage, "embedded:")):
        folder = local_model(name)
        if folder is not None and any(path.stat().st_ctime >= began for path in folder.rglob("*") if path.exists()):
            return f"{folder}: was written to meanwhile"
    return None
