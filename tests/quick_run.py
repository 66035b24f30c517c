"""Runs whose stages take no time: what one makes is decided by its inputs and the settings, as in a real one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tradewind.files import write_atomically
from tradewind.recipes import resolve
from tradewind.results import Artifact, StageResult
from tradewind.reuse.cached import remember, reuse
from tradewind.reuse.documents import DOCUMENTS, documents_of
from tradewind.reuse.hashes import FileHashes
from tradewind.reuse.skipped import fill_gaps, stand_in
from tradewind.run_dir import RunDir
from tradewind.stages import STAGES, UPSTREAM, Stage
from tradewind.stages.stage_run import inputs_of

ORDER: tuple[Stage, ...] = STAGES[1:]
"""The stages of a run that draws no pairs."""
_OUTPUTS: dict[Stage, tuple[str, ...]] = {
    "prepare": ("train.jsonl", "heldout.jsonl", "corpus.jsonl"),
    "baseline": ("answers.jsonl",),
    "adapt": ("model/model.safetensors", "log.jsonl"),
    "finetune": ("model/model.safetensors", "model/config.json", "log.jsonl"),
    "evaluate": ("predictions.jsonl", "scores.json"),
    "report": ("report.json",),
}


class QuickRun:
    """One run of a DAG, its tasks as Airflow starts them."""

    def __init__(
        self, path: Path, data: Path, *, models: Path | None = None, seed: int = 42, luck: str = "", **overrides: Any
    ) -> None:
        """Take `luck` as what makes two equal trainings come out differently, as they do on a GPU."""
        self.dir = RunDir(path)
        self.config = resolve("tiny", data, seed, {name.replace("__", "."): value for name, value in overrides.items()})
        self.models = models
        self.luck = luck
        self.job_id = f"dag/{path.name}"
        self.tries = dict.fromkeys(STAGES, 0)
        self.told: list[str] = []

    def run(self, *stages: Stage, skip: Collection[Stage] = (), force: bool = False) -> dict[Stage, str]:
        """The tasks of these stages, by default of all; returns how each ended."""
        return {stage: self.task(stage, skip=stage in skip, force=force) for stage in stages or ORDER}

    def task(self, stage: Stage, *, skip: bool = False, force: bool = False, code: str = "code") -> str:
        """One task as its operator goes about it."""
        self.tries[stage] += 1
        task_id = f"{stage}/{self.tries[stage]}"
        if skip:
            return "left out" if self.stand_in(stage) is None else "stand-in"
        self.told += fill_gaps(stage, self.config, self.dir, job_id=self.job_id)
        found = None if force else reuse(
            stage, self.config, self.dir, code=code, task=stage, job_id=self.job_id, task_id=task_id, models=self.models
        )  # fmt: skip
        if found is not None:
            return found.status
        self.make(stage, task_id)
        remember(stage, self.dir, code=code)
        return "made"

    def stand_in(self, stage: Stage) -> StageResult | None:
        """What the operator of a skipped stage does."""
        return stand_in(stage, self.config, self.dir, job_id=self.job_id, task_id=f"{stage}/{self.tries[stage]}")

    def make(self, stage: Stage, task_id: str) -> StageResult:
        """What the stage's own process does."""
        self.dir.path.mkdir(parents=True, exist_ok=True)
        inputs = inputs_of(stage, self.config, self.dir)
        if stage == "prepare":
            with FileHashes() as hashes:
                inputs[DOCUMENTS] = documents_of(self.config, hashes)
        off = stage in ("adapt", "finetune") and not getattr(self.config, stage).enabled
        work = self.dir.open_work(stage, "work")
        for name in () if off else _OUTPUTS[stage]:
            (work / name).parent.mkdir(exist_ok=True)
            (work / name).write_text(self._content(stage, name, inputs))
        names = sorted({} if off else {name.partition("/")[0] for name in _OUTPUTS[stage]})
        result = StageResult(
            job_id=self.job_id, task_id=task_id, stage=stage, status="skipped" if off else "success",
            reason="turned off" if off else None, started_at="2026-11-23T02:00:00+00:00", seconds=60.0, gpu_seconds=9.0,
            seed=self.config.seed, config=self.config.model_dump(mode="json"), versions={"tradewind": "0.1.0"},
            inputs=inputs, outputs={name: _published(work, stage, name) for name in names}, metrics={"of": stage},
        )  # fmt: skip
        self.dir.publish(stage, work, result)
        return result

    def result(self, stage: Stage) -> StageResult:
        """What stands there."""
        return self.dir.result(stage)

    def consistent(self) -> bool:
        """Whether each stage was made from what the stages before it have, by the content of the files."""
        for stage in ORDER:
            if not self.dir.result_file(stage).exists() or self.result(stage).is_left_out:
                continue
            result = self.result(stage)
            for name, artifact in result.outputs.items():
                if _published(self.dir.published(stage), stage, name) != artifact:
                    return False
            before = set(UPSTREAM[stage])
            used = {name: item.sha256 for name, item in result.inputs.items() if name.partition("/")[0] in before}
            if used != {name: item.sha256 for name, item in inputs_of(stage, self.config, self.dir).items()}:
                return False
        return True

    def _content(self, stage: Stage, name: str, inputs: Mapping[str, Artifact]) -> str:
        settings = self.config.model_dump(mode="json", exclude={"data_dir"})
        decides = [stage, name, settings, sorted(item.sha256 for item in inputs.values())]
        luck = self.luck if stage in ("adapt", "finetune") else ""
        return hashlib.sha256(f"{json.dumps(decides)}{luck}".encode()).hexdigest()


def _published(folder: Path, stage: Stage, name: str) -> Artifact:
    found = Artifact.of(folder / name, folder)
    return found.model_copy(update={"path": f"{stage}/{found.path}"})


def spoil(run: QuickRun, stage: Stage, **changes: Any) -> None:
    """Write something else into a published result."""
    result = run.result(stage)
    write_atomically(run.dir.result_file(stage), result.model_copy(update=changes).model_dump_json())
