"""An earlier result in the place of a stage that somebody skips: the newest one that fits what stands in the run.

It fits if it was made of the same folder of documents and for the same base model, and if what it was made from is
what the stages before it have in this run. The documents themselves may have changed: not to read them again is what
skipping `prepare` or `extract` is for. Settings and code may differ; the report says which run's result it is.
"""

from __future__ import annotations

import difflib
import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.files import write_atomically
from tradewind.results import Artifact, StageResult
from tradewind.reuse.key import local_model
from tradewind.reuse.placed import place, placing
from tradewind.run_dir import RunDir
from tradewind.stages import SKIPPABLE, STAGES, UPSTREAM, Stage
from tradewind.stages.shards import division_of, other_setting

log = logging.getLogger("tradewind")


@dataclass(frozen=True)
class _Candidate:
    """A run's result of a stage: one folder, or those of all shards."""

    run: RunDir
    results: Mapping[str, StageResult]

    @property
    def first(self) -> StageResult:
        return next(iter(self.results.values()))

    @property
    def made_by(self) -> str:
        """The run that really made it."""
        return self.first.source_run or self.run.path.name

    def outputs(self) -> dict[str, Artifact]:
        """By the names that stages know them by."""
        return {
            f"{result.stage}/{name}": artifact
            for result in self.results.values()
            for name, artifact in result.outputs.items()
        }


def stand_in(stage: Stage, config: RunConfig, run_dir: RunDir, *, job_id: str, task_id: str) -> StageResult | None:
    """Publish the newest result that fits in the place of a stage that is skipped.

    What an earlier try of this run made counts among them. Where nothing fits, nothing is left of the stage.

    Returns:
        The result as it stands now, of `extract` that of the first shard; None where there is none.
    """
    with placing(run_dir):
        return _stand_in(stage, config, run_dir, job_id=job_id, task_id=task_id)


def fill_gaps(
    stage: Stage, config: RunConfig, run_dir: RunDir, *, job_id: str, skipped: Collection[Stage] | None = None
) -> list[str]:
    """Have stand-ins for the stages that `stage` reads and that were skipped without their operator's knowledge.

    Args:
        skipped: the stages whose tasks Airflow knows as skipped; what an earlier try of these left is replaced where
            it does not fit any more. None: those that have published nothing, which are taken for skipped.

    Returns:
        A line for each stage that a stand-in was sought for.

    Raises:
        UserError: `stage` has no input then.
    """
    told = []
    for before in _before(stage):
        if _is_off(before, config) or (skipped is not None and before not in skipped):
            continue
        if skipped is None and _stands(before, run_dir):
            continue
        result = stand_in(before, config, run_dir, job_id=job_id, task_id="")
        found = f"the result of run {result.source_run} stands in for it" if result else "no earlier result fits"
        told.append(f"{before}: skipped; {found}")
    absent = {before for before in _before(stage) if not _stands(before, run_dir)}
    _check_input(stage, config, absent)
    return told


def check_skips(skip: Sequence[str], config: RunConfig, run_dir: RunDir) -> None:
    """Fail for names that are none, and where it is certain that a stage will be without input.

    A skipped stage that reads what is still to be made may find a result that fits or not: that shows when its
    turn comes.

    Raises:
        UserError: one line that names both stages.
    """
    for name in skip:
        if name not in SKIPPABLE:
            near = difflib.get_close_matches(name, SKIPPABLE, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(SKIPPABLE)}"
            raise UserError(f"skip: '{name}' is no stage; {hint}")
    known: dict[str, str] = {}
    to_be_made: set[str] = set()
    absent: set[Stage] = set()
    for stage in STAGES:
        if _is_off(stage, config):
            continue
        if stage not in skip:
            to_be_made.add(stage)
            _check_input(stage, config, absent)
            continue
        settled = set(UPSTREAM[stage]) - to_be_made
        found = next(_fitting(stage, config, run_dir, known, settled), None)
        if found is None:
            absent.add(stage)
        elif settled == set(UPSTREAM[stage]):
            known |= {name: artifact.sha256 for name, artifact in found.outputs().items()}
        else:
            to_be_made.add(stage)  # which of several fits is not known yet


def _stand_in(stage: Stage, config: RunConfig, run_dir: RunDir, *, job_id: str, task_id: str) -> StageResult | None:
    began = time.monotonic()
    standing = _standing(stage, run_dir)
    candidates = () if _is_off(stage, config) else _fitting(stage, config, run_dir, standing, set(UPSTREAM[stage]))
    for found in candidates:
        is_own = found.run.path == run_dir.path
        if is_own and found.first.status == "skipped":
            return found.first  # it stands in already
        placed = {
            folder: result.model_copy(update=_changes(found, job_id=job_id, task_id=task_id, began=began))
            for folder, result in found.results.items()
        }
        try:
            for folder, result in placed.items():
                if is_own:
                    write_atomically(run_dir.result_file(folder), result.model_dump_json(indent=1))
                else:
                    place(found.run.published(folder), run_dir, folder, result)
        except (UserError, OSError) as error:
            log.warning("%s: the result of run %s is not used: %s", stage, found.run.path.name, error)
            continue
        return next(iter(placed.values()))
    for folder in _folders(stage, run_dir):
        run_dir.withdraw(folder)
    return None


def _changes(found: _Candidate, *, job_id: str, task_id: str, began: float) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "task_id": task_id or None,
        "status": "skipped",
        "reason": f"skipped on request; the result of run {found.made_by} stands in for it",
        "source_run": found.made_by,
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 3),
        "gpu_seconds": 0.0,
        "peak_memory_bytes": None,
        "resumed_from_step": None,
    }


def _fitting(
    stage: Stage, config: RunConfig, run_dir: RunDir, standing: Mapping[str, str], settled: set[Stage]
) -> Iterator[_Candidate]:
    """The results that fit, the newest first.

    What stands in for another comes last, in case that one's run is gone; but first what does so in this run.

    Args:
        standing: the hashes of what stands in this run.
        settled: the stages of which `standing` holds all there will be.
    """
    later = []
    for found in _candidates(stage, run_dir):
        if not all(_fits(result, config, standing, settled) for result in found.results.values()):
            continue
        if found.first.status == "skipped" and found.run.path != run_dir.path:
            later.append(found)
        else:
            yield found
    yield from later


def _fits(result: StageResult, config: RunConfig, standing: Mapping[str, str], settled: set[Stage]) -> bool:
    made = result.config
    if result.is_left_out or made.get("data_dir") != config.data_dir or _base_of(made) != _base_of(config.model_dump()):
        return False
    if result.stage == "extract":
        return other_setting(result, config) is None
    matter = settled - {"extract"}
    used = {name: item.sha256 for name, item in result.inputs.items() if name.partition("/")[0] in matter}
    return used == {name: sha256 for name, sha256 in standing.items() if name.partition("/")[0] in matter}


def _base_of(config: Mapping[str, Any]) -> tuple[str, str | None] | None:
    model = config.get("model") or {}
    name = model.get("model_name_or_path")
    return None if name is None else (str(local_model(name) or name), model.get("model_revision"))


def _candidates(stage: Stage, run_dir: RunDir) -> Iterator[_Candidate]:
    """The results of all runs of the DAG, the newest first, those of this run before all others."""
    found = []
    for path in run_dir.path.parent.glob("[!.]*/"):
        run = RunDir(path)
        try:
            folders = _folders(stage, run)
            times = [run.result_file(folder).stat().st_mtime_ns for folder in folders]
        except (UserError, OSError):  # a shard is missing, or the run is being deleted
            continue
        if times:
            found.append((run.path == run_dir.path, max(times), run, folders))
    for *_, run, folders in sorted(found, key=lambda item: item[:2], reverse=True):
        try:
            yield _Candidate(run, {folder: run.result(folder) for folder in folders})
        except (UserError, OSError) as error:
            log.warning("%s: the result of run %s is not used: %s", stage, run.path.name, error)


def _folders(stage: Stage, run: RunDir) -> list[str]:
    """The folders of a stage's result, there or not; of `extract` those of all shards."""
    if stage != "extract" or not run.path.is_dir():
        return [stage]
    return [shard.folder(stage) for shard in division_of(run)]


def _standing(stage: Stage, run_dir: RunDir) -> dict[str, str]:
    """The hashes of what the stages before have published in this run."""
    return {
        f"{before}/{name}": artifact.sha256
        for before in UPSTREAM[stage]
        if before != "extract" and run_dir.result_file(before).is_file()
        for name, artifact in run_dir.result(before).outputs.items()
    }


def _stands(stage: Stage, run_dir: RunDir) -> bool:
    return all(run_dir.result_file(folder).is_file() for folder in _folders(stage, run_dir))


def _before(stage: Stage) -> Iterable[Stage]:
    """What a stage reads; of the baseline the report says at least what became of it."""
    return (*UPSTREAM[stage], "baseline") if stage == "report" else UPSTREAM[stage]


def _is_off(stage: Stage, config: RunConfig) -> bool:
    """Whether the recipe leaves the stage out."""
    if stage == "extract":
        return config.extract is None
    if stage in ("evaluate", "report"):
        return not (config.adapt.enabled or config.finetune.enabled)
    return (stage == "adapt" and not config.adapt.enabled) or (stage == "finetune" and not config.finetune.enabled)


def _check_input(stage: Stage, config: RunConfig, absent: Collection[Stage]) -> None:
    """UserError where the stage cannot do without one of those that are absent."""
    lacking = next((before for before in _needs(stage, config, absent) if before in absent), None)
    if lacking is not None:
        raise UserError(
            f"skip: {lacking} was left out and no earlier run has a result of it that fits, so {stage} is without "
            f"input; run {lacking}, or leave {stage} out as well"
        )


def _needs(stage: Stage, config: RunConfig, absent: Collection[Stage]) -> tuple[Stage, ...]:
    if stage == "prepare":
        return () if _is_off("extract", config) else ("extract",)
    if stage == "report" and not _is_off("evaluate", config):
        return ("prepare", "evaluate")
    trainings: list[Stage] = [name for name in ("finetune", "adapt") if not _is_off(name, config)]
    if stage == "evaluate" and trainings and set(trainings) <= set(absent):
        return ("prepare", trainings[0])
    return () if stage == "extract" else ("prepare",)
