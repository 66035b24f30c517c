"""A stage's training as a job of its team: written down, run, and its weights read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peft import PeftModel
from transformers import PreTrainedModel

from tradewind.config import TrainingConfig
from tradewind.results import PeakMemory
from tradewind.team import Team
from tradewind.training.answer_loss import Row
from tradewind.training.job import TRAINED, TrainJob, write_job
from tradewind.training.load import load_model

if TYPE_CHECKING:
    from tradewind.stages.stage_run import StageRun


def train_together(
    stage: StageRun,
    team: Team,
    source: Path | str,
    rows: Sequence[Row],
    config: TrainingConfig,
    *,
    validation: Sequence[Row],
) -> tuple[PreTrainedModel | PeftModel, dict[str, Any]]:
    """As `train`: the trained model, here on the CPU since the GPUs are the team's, and its metrics.

    With `validation` these hold `validation_loss`.

    Raises:
        UserError: what the team's processes met.
    """
    work, model = stage.work, stage.config.model
    job = TrainJob(
        name=stage.name, source=str(source), source_is_folder=isinstance(source, Path), model=model, config=config,
        seed=stage.config.seed, processes=team.processes, device=team.device,
    )  # fmt: skip
    folder = write_job(work, job, rows=rows, validation=validation)
    shutil.rmtree(work / TRAINED, ignore_errors=True)
    team.launch(work)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    stage.note_peaks([PeakMemory(host=host, gpu=gpu) for host, gpu in metrics.pop("peaks")])
    if config.lora is None:
        return load_model(work / TRAINED, model, device="cpu"), metrics
    return PeftModel.from_pretrained(load_model(source, model, device="cpu"), work / TRAINED), metrics
