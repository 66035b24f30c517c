"""One training run on TRL's SFTTrainer, for adaptation and fine-tuning alike."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer

from tradewind.config import TrainingConfig
from tradewind.files import write_jsonl
from tradewind.training.checkpoints import VerifyCheckpoints, newest_verified
from tradewind.training.progress_file import ProgressFile
from tradewind.training.sampler import LengthGroupedTrainer

log = logging.getLogger("tradewind")


class ProgressLines(TrainerCallback):
    """Plain lines for a log: step, loss, and the time that is left."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = (0, 0.0)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Remember where this process began: after a resume not at step 0."""
        self.began = (state.global_step, time.monotonic())

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: object,
    ) -> None:
        """One line at each logging step."""
        if logs and "loss" in logs:
            done, seconds = state.global_step - self.began[0], time.monotonic() - self.began[1]
            left = (state.max_steps - state.global_step) * seconds / max(done, 1)
            where = f"step {state.global_step}/{state.max_steps}"
            log.info("%s: %s, loss %.4f, %.0f s left", self.name, where, float(logs["loss"]), left)


def train(
    name: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, list[int]]],
    config: TrainingConfig,
    seed: int,
    work: Path,
) -> tuple[PreTrainedModel | PeftModel, dict[str, Any]]:
    """Train on tokenised rows; go on from the newest verified checkpoint in `work` if there is one.

    Args:
        name: the stage's.
        rows: `input_ids` and `labels`, none longer than `config.max_length`.
        work: checkpoints go to `work/checkpoints`, the loss curve to `work/log.jsonl`, and while the training
            goes on, how far it is to `work/progress.json`.

    Returns:
        The trained model (with LoRA, the unmerged PEFT model) and its metrics: `steps`, `loss`,
        `train_seconds`, `tokens` (in one epoch) and `resumed_from_step` (None for a fresh start).
    """
    set_seed(seed)
    peft_config = None
    if config.lora is not None:
        lora = config.lora.model_dump() | {"target_modules": list(config.lora.target_modules)}
        peft_config = LoraConfig(task_type="CAUSAL_LM", **lora)
    grouped = config.group_by_length and not config.packing  # a packed row is full anyway
    trainer = (LengthGroupedTrainer if grouped else SFTTrainer)(
        model=model,
        args=_arguments(config, seed, work / "checkpoints"),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=peft_config,
        callbacks=[VerifyCheckpoints(), ProgressLines(name), ProgressFile(name, work)],
    )
    trainer.remove_callback(PrinterCallback)
    checkpoint = newest_verified(work / "checkpoints")
    if checkpoint:
        log.info("%s: resume from %s", name, checkpoint.name)
    began = time.monotonic()
    outcome = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    curve = [entry for entry in trainer.state.log_history if "loss" in entry]
    write_jsonl(work / "log.jsonl", curve)
    metrics = {
        "steps": trainer.state.global_step,
        "loss": round(outcome.training_loss, 6),
        "last_loss": round(float(curve[-1]["loss"]), 6) if curve else None,
        "train_seconds": round(time.monotonic() - began, 3),
        "rows": len(rows),
        "tokens": sum(len(row["input_ids"]) for row in rows),
        "trainable_parameters": sum(item.numel() for item in trainer.model.parameters() if item.requires_grad),
        "resumed_from_step": int(checkpoint.name.rsplit("-", 1)[1]) if checkpoint else None,
    }
    return trainer.model, metrics


def _arguments(config: TrainingConfig, seed: int, output_dir: Path) -> SFTConfig:
    # What stands below under another name, and the hub, which gets the merged model once it is proven.
    ours = {"enabled", "lora", "group_by_length", "report_to", "packing", "gradient_checkpointing"}
    shared = config.model_dump(exclude=ours | {"push_to_hub", "hub_model_id"})
    return SFTConfig(
        **shared,
        output_dir=str(output_dir),
        report_to=list(config.report_to) or "none",
        packing=config.packing,
        packing_strategy="bfd",
        save_strategy="steps",
        seed=seed,
        data_seed=seed,
        disable_tqdm=not sys.stderr.isatty(),
        dataloader_pin_memory=torch.cuda.is_available(),
        gradient_checkpointing=None,  # TRL's default is on, under the name that transformers gives up
        activation_checkpointing=config.gradient_checkpointing,
    )
