"""What every stage shares: its lock, its inputs, its work folder, and the result it publishes."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tradewind
from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.files import sha256_of
from tradewind.lease import run_dir_lock
from tradewind.peak_memory import gpu_peak, host_peak
from tradewind.results import Artifact, PeakMemory, StageResult
from tradewind.run_dir import RunDir, fingerprint
from tradewind.shard import WHOLE, Shard
from tradewind.stages import LANES, UPSTREAM, Stage
from tradewind.stages.shards import extracted
from tradewind.team import Team

log = logging.getLogger("tradewind")
_PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "sentence-transformers", "openai", "sacrebleu")


class StageSkipped(Exception):  # noqa: N818 - not an error: the stage has nothing to do, and its text says why
    """The recipe turned the stage off."""


@dataclass
class StageRun:
    """A stage under way; a stage's `run` reads its inputs from here and leaves its outputs in `work`."""

    name: Stage
    config: RunConfig
    run_dir: RunDir
    work: Path
    inputs: dict[str, Artifact]
    shard: Shard = WHOLE
    team: Team | None = None
    """The processes that train and generate together; None: this one does it alone."""
    metrics: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    """Names of files or folders in `work` that the stage gives to others; the rest is detail."""
    resumed_from_step: int | None = None
    gpu_seconds: float = 0.0
    peaks: Sequence[PeakMemory] = ()
    """Of each process of the team, in that of its jobs which took most."""

    @property
    def run_name(self) -> str:
        """What the ledger of requests calls this run: all its shards and tries share one budget."""
        return os.environ.get("TRADEWIND_JOB_ID") or str(self.run_dir.path)

    def input(self, name: str) -> Path:
        """The path of an input by its `<stage>/<file>` name."""
        return self.run_dir.path / self.inputs[name].path

    def note_peaks(self, peaks: Sequence[PeakMemory]) -> None:
        """Keep what the team's processes needed in a job, if none before needed more."""
        self.peaks = max(self.peaks, peaks, key=lambda found: sum(peak.host for peak in found))

    def warn(self, text: str) -> None:
        """Log a warning and carry it into the result and the report."""
        log.warning(text)
        self.warnings.append(text)


def run_stage(
    name: Stage, config: RunConfig, run_dir: RunDir, shard: Shard = WHOLE, team: Team | None = None
) -> StageResult:
    """Run one stage as the only writer of its folder and publish what it made.

    Shards of one stage run beside each other, the baseline beside a training; every other stage is alone in its run.
    A shard of `finetune` is a trial of a sweep: its configuration is its own, not the run's.

    Raises:
        UserError: something the user can mend; nothing is published then.
        RunDirBusyError: another process is writing this run.
    """
    run_dir.path.mkdir(parents=True, exist_ok=True)
    folder = shard.folder(name)
    lane = LANES.get(name) if shard == WHOLE else folder
    with run_dir_lock(run_dir.path, folder, lane):
        started, clock = datetime.now(UTC), time.monotonic()
        log.info("%s: start in %s", folder, run_dir.path)
        inputs = inputs_of(name, config, run_dir)
        if name != "finetune" or shard == WHOLE:
            run_dir.write_config(config)  # under the lock: a refused process must not change what the holder reads
        work = run_dir.open_work(folder, fingerprint(name, config, {key: item.sha256 for key, item in inputs.items()}))
        stage = StageRun(name, config, run_dir, work, inputs, shard, team)
        status, reason = "success", None
        try:
            importlib.import_module(f"tradewind.stages.{name}").run(stage)
        except StageSkipped as skipped:
            status, reason = "skipped", str(skipped)
            log.info("%s: skipped: %s", name, reason)
        result = StageResult(
            job_id=os.environ.get("TRADEWIND_JOB_ID"),
            task_id=os.environ.get("TRADEWIND_TASK_ID"),
            stage=name,
            shard=None if shard == WHOLE else str(shard),
            status=status,
            reason=reason,
            started_at=started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - clock, 3),
            gpu_seconds=round(stage.gpu_seconds, 3),
            peak_memory_bytes=_peak(stage.peaks),
            seed=config.seed,
            config=config.model_dump(mode="json"),
            versions=_versions(),
            inputs=inputs,
            outputs=_outputs(stage),
            metrics=stage.metrics,
            warnings=tuple(stage.warnings),
            resumed_from_step=stage.resumed_from_step,
        )
        run_dir.publish(folder, work, result)
        log.info("%s: %s in %.1f s; %s", name, status, result.seconds, result.metrics)
        return result


def inputs_of(
    name: Stage, config: RunConfig, run_dir: RunDir, hash_of: Callable[[Path], str] = sha256_of
) -> dict[str, Artifact]:
    """The published outputs that the stage reads, by `<stage>/<output>`; made here or in another run.

    Only `prepare` (and for the report `evaluate`) must have run; a training that was left out is absent.

    Args:
        hash_of: reads a document, or knows its hash.

    Raises:
        UserError: a stage is missing, or was made from what an earlier stage has since replaced.
    """
    found: dict[str, Artifact] = {}
    for upstream in UPSTREAM[name]:
        if upstream == "extract":
            found |= extracted(config, run_dir, hash_of)
            continue
        if upstream in ("adapt", "finetune") and not run_dir.result_file(upstream).exists():
            continue
        result = run_dir.result(upstream)
        for key, used in result.inputs.items():
            if key in found and found[key].sha256 != used.sha256:
                raise UserError(
                    f"{run_dir.published(upstream)}: was made from another {key} than stands there now; "
                    f"run the stage '{upstream}' again"
                )
        for key, artifact in result.outputs.items():
            found[f"{upstream}/{key}"] = artifact
    return found


def _outputs(stage: StageRun) -> dict[str, Artifact]:
    made: dict[str, Artifact] = {}
    for output in stage.outputs:
        artifact = Artifact.of(stage.work / output, stage.work)
        made[output] = artifact.model_copy(update={"path": f"{stage.shard.folder(stage.name)}/{artifact.path}"})
    return made


def _peak(of_team: Sequence[PeakMemory]) -> PeakMemory:
    """Of this process or of its team's together, whichever needed more: it waits while they are at work."""
    own = PeakMemory(host=host_peak(), gpu=gpu_peak())
    if not of_team:
        return own
    gpus = [peak.gpu for peak in of_team if peak.gpu is not None]
    return PeakMemory(host=max(own.host, sum(peak.host for peak in of_team)), gpu=sum(gpus) if gpus else own.gpu)


def _versions() -> dict[str, str]:
    """Versions of what decides a result; a package that is not installed is left out."""
    found = {"tradewind": tradewind.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
