"""What adaptation and fine-tuning share: train, save, prove that the model changed."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import HfApi
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tradewind.config import TrainingConfig
from tradewind.errors import UserError
from tradewind.stages.stage_run import StageRun
from tradewind.training.answer_loss import Row, answer_loss
from tradewind.training.merge import Before, save_trained
from tradewind.training.train import train


def train_and_save(
    stage: StageRun,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[Row],
    config: TrainingConfig,
    *,
    validation: Sequence[Row] = (),
) -> None:
    """Train `model` on `rows` and leave `model/`, with LoRA `adapter/`, and `log.jsonl` in the stage's folder.

    Args:
        validation: rows of which the trained model's loss is to be told.
    """
    before = Before.of(model, rows[0]["input_ids"])
    trained, metrics = train(stage.name, model, tokenizer, rows, config, stage.config.seed, stage.work)
    stage.metrics |= metrics
    stage.resumed_from_step = metrics["resumed_from_step"]
    if validation:
        stage.metrics |= _validated(answer_loss(trained, validation, config.per_device_train_batch_size), validation)
    stage.gpu_seconds = metrics["train_seconds"] * torch.cuda.device_count()
    stage.metrics |= save_trained(trained, tokenizer, before, stage.config.model, stage.work)
    if config.push_to_hub:
        _push(stage.work / "model", str(config.hub_model_id))
    shutil.rmtree(stage.work / "checkpoints", ignore_errors=True)
    stage.outputs += ["model", "log.jsonl"] + (["adapter"] if config.lora else [])


def _validated(loss: float, rows: Sequence[Row]) -> dict[str, Any]:
    """UserError for a loss that is no number."""
    if not math.isfinite(loss):
        raise UserError("the training diverged: its loss is not a number; lower finetune.learning_rate")
    return {"validation_loss": round(loss, 6), "validation_pairs": len(rows)}


def _push(model: Path, hub_model_id: str) -> None:
    """Upload the merged model, proven to differ from its base; a new repository is private."""
    api = HfApi()
    try:
        api.create_repo(hub_model_id, private=True, exist_ok=True)
        api.upload_folder(repo_id=hub_model_id, folder_path=model)
    except Exception as error:  # its HTTP client, and so what it raises, is another in each of its releases
        raise UserError(
            f"push_to_hub: '{hub_model_id}' cannot be written ({type(error).__name__}); "
            "check HF_TOKEN and the name, or turn push_to_hub off"
        ) from error
