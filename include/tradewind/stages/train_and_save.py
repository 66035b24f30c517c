"""What adaptation and fine-tuning share: train, save, prove that the model changed."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import HfApi
from transformers import PreTrainedTokenizerBase

from tradewind.config import TrainingConfig
from tradewind.errors import UserError
from tradewind.stages.stage_run import StageRun
from tradewind.training.answer_loss import Row, answer_loss
from tradewind.training.job import FOLDER, TRAINED
from tradewind.training.load import load_model
from tradewind.training.merge import Before, save_trained
from tradewind.training.train import train
from tradewind.training.train_together import train_together


def train_and_save(
    stage: StageRun,
    source: Path | str,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[Row],
    config: TrainingConfig,
    *,
    validation: Sequence[Row] = (),
) -> None:
    """Train the model of `source` on `rows`; leave `model/`, with LoRA `adapter/`, and `log.jsonl` in its folder.

    Args:
        source: the model's folder or hub name.
        validation: rows of which the trained model's loss is to be told.
    """
    if stage.team is None:
        model = load_model(source, stage.config.model, config.quantization_config)
        before = Before.of(model, rows[0]["input_ids"])
        trained, metrics = train(stage.name, model, tokenizer, rows, config, stage.config.seed, stage.work)
        if validation:
            metrics["validation_loss"] = answer_loss(trained, validation, config.per_device_train_batch_size)
    else:
        before = Before.of(load_model(source, stage.config.model, device="cpu"), rows[0]["input_ids"])
        trained, metrics = train_together(stage, stage.team, source, rows, config, validation=validation)
    stage.metrics |= metrics
    stage.resumed_from_step = metrics["resumed_from_step"]
    if validation:
        stage.metrics |= _validated(metrics["validation_loss"], validation)
    gpus = torch.cuda.device_count() if stage.team is None else stage.team.gpus
    stage.gpu_seconds = metrics["train_seconds"] * gpus
    stage.metrics |= save_trained(trained, tokenizer, before, stage.config.model, stage.work)
    if config.push_to_hub:
        _push(stage.work / "model", str(config.hub_model_id))
    for used_up in ("checkpoints", FOLDER, TRAINED):
        shutil.rmtree(stage.work / used_up, ignore_errors=True)
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
