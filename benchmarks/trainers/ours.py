"""Tradewind's own training, as its stage calls it, with everything that may be `auto` left so."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from tradewind.config import ModelConfig, TrainingConfig
from trainers.job import ALPHA, Job, Trainer, read_pairs, seconds_kept

BATCH = 8


def config_of(job: Job, **changes: Any) -> TrainingConfig:
    """A recipe's block for the job, with some of its settings otherwise."""
    fields: dict[str, Any] = {
        "num_train_epochs": 1, "learning_rate": job.learning_rate, "lr_scheduler_type": "constant",
        "per_device_train_batch_size": BATCH, "gradient_accumulation_steps": 1, "max_length": job.max_length,
        "logging_steps": 1, "save_steps": 10_000, "lora": {"r": job.rank, "lora_alpha": ALPHA},
    }  # fmt: skip
    return TrainingConfig.model_validate(fields | changes)


def model_config(job: Job) -> ModelConfig:
    """How the model is loaded."""
    return ModelConfig(model_name_or_path=str(job.model), dtype="bfloat16" if job.gpu else "float32")


def run(job: Job) -> dict[str, Any]:
    """Load, tokenise, train, save the adapter; returns the training's metrics."""
    from tradewind.training.load import load_model, load_tokenizer
    from tradewind.training.tokens import pair_tokens
    from tradewind.training.train import train

    tokenizer = load_tokenizer(job.model)
    rows = [pair_tokens(tokenizer, pair["question"], pair["answer"]) for pair in read_pairs(job.pairs)]
    model = load_model(job.model, model_config(job))
    began = time.monotonic()
    trained, metrics = train(
        "finetune",
        model,
        tokenizer,
        rows,
        config_of(job, **({} if job.bf16 is None else {"bf16": job.bf16})),
        job.seed,
        job.folder,
    )
    # Choosing what to compute with comes once before a training, and is no part of its seconds.
    metrics["before_training"] = time.monotonic() - began - metrics["train_seconds"]
    trained.save_pretrained(job.adapter)
    return metrics


def main() -> None:
    """Do the job that the command line names."""
    job = Job.read(Path(sys.argv[1]))
    metrics = run(job)
    # The others are told to write no checkpoint; Tradewind always does, so that nothing is lost.
    kept = {"train_runtime": metrics["train_seconds"] - metrics["checkpoint_seconds"], "metrics": metrics}
    (job.folder / "result.json").write_text(json.dumps(kept), encoding="utf-8")


def command(job: Job) -> list[str | Path]:
    """This file, in a process of its own."""
    return [sys.executable, __file__, job.write()]


OURS = Trainer("Tradewind", command, seconds_kept)
OURS_SMALL = Trainer("Tradewind, r=16", command, seconds_kept, small=True)

if __name__ == "__main__":
    main()
