"""What adaptation and fine-tuning share: train, save, prove that the model changed."""

from __future__ import annotations

import shutil

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tradewind.config import TrainingConfig
from tradewind.stages.stage_run import StageRun
from tradewind.training.merge import Before, save_trained
from tradewind.training.train import train


def train_and_save(
    stage: StageRun,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, list[int]]],
    config: TrainingConfig,
) -> None:
    """Train `model` on `rows` and leave `model/`, with LoRA `adapter/`, and `log.jsonl` in the stage's folder."""
    before = Before.of(model, rows[0]["input_ids"])
    trained, metrics = train(stage.name, model, tokenizer, rows, config, stage.config.seed, stage.work)
    stage.metrics |= metrics
    stage.resumed_from_step = metrics["resumed_from_step"]
    stage.gpu_seconds = metrics["train_seconds"] * torch.cuda.device_count()
    stage.metrics |= save_trained(trained, tokenizer, before, stage.config.model, stage.work)
    shutil.rmtree(stage.work / "checkpoints", ignore_errors=True)
    stage.outputs += ["model", "log.jsonl"] + (["adapter"] if config.lora else [])
