"""Runs with trials that took no time, for tests of what becomes of them."""

from __future__ import annotations

from pathlib import Path

from tradewind.config import RunConfig
from tradewind.recipes import resolve
from tradewind.results import Artifact, StageResult
from tradewind.run_dir import RunDir
from tradewind.sweep.trials import Trial, read_trials

SETTINGS = ["finetune.learning_rate=1e-4", "finetune.learning_rate=3e-4 finetune.lora.r=32", "finetune.lora.r=8"]
JOB = "trade_qa_sweep/run"


class SweptRun:
    """A run that has come to its trials."""

    def __init__(self, path: Path, settings: list[str] | None = None) -> None:
        self.dir = RunDir(path)
        self.config: RunConfig = resolve("tiny", "embedded:en", 42)
        self.trials = read_trials(settings or SETTINGS, self.config)
        self.prepared: dict[str, Artifact] = {}
        self.prepare("pairs")

    def prepare(self, pairs: str) -> None:
        """Publish what is trained on."""
        work = self.dir.open_work("prepare", "")
        (work / "train.jsonl").write_text(pairs)
        made = Artifact.of(work / "train.jsonl", work).model_copy(update={"path": "prepare/train.jsonl"})
        self.prepared = {"prepare/train.jsonl": made}
        self.dir.publish("prepare", work, self._result("prepare", self.config, outputs={"train.jsonl": made}))

    def train(self, trial: Trial, loss: float, *, attempt: int = 1, status: str = "success") -> StageResult:
        """Publish what a trial leaves."""
        work = self.dir.open_work(trial.folder, "")
        (work / "model").mkdir()
        (work / "model" / "model.safetensors").write_text(f"weights of {trial.label}, {attempt}")
        made = Artifact.of(work / "model", work).model_copy(update={"path": f"{trial.folder}/model"})
        result = self._result(
            "finetune", trial.config, outputs={"model": made}, inputs=self.prepared, shard=str(trial.shard),
            task_id=f"trials[{trial.shard.index - 1}]/{attempt}", status=status,
            source_run="an_earlier_run" if status == "cached" else None, gpu_seconds=9.0,
            metrics={"validation_loss": loss, "validation_pairs": 8, "steps": 10}, warnings=(f"of {trial.label}",),
        )  # fmt: skip
        self.dir.publish(trial.folder, work, result)
        return result

    def weights(self) -> str:
        """Of the model that stands as the run's."""
        return (self.dir.published("finetune") / "model" / "model.safetensors").read_text()

    @staticmethod
    def _result(stage: object, config: RunConfig, **more: object) -> StageResult:
        return StageResult.model_validate(
            {
                "stage": stage, "job_id": JOB, "started_at": "2026-11-23T02:00:00+00:00", "seconds": 60.0, "seed": 42,
                "config": config.model_dump(mode="json"), "versions": {"tradewind": "0.1.0"}, **more,
            }
        )  # fmt: skip
