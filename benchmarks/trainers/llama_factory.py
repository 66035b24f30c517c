"""LLaMA-Factory's command line, from an environment of its own (`install_llama_factory.py`).

At the literal settings, and with the flags that make it fastest: one batch of 8, grouped by length, r=16, no dropout.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from trainers.install_llama_factory import environment_folder
from trainers.job import ALPHA, DROPOUT, Job, Trainer, read_pairs

_LITERAL = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "lora_dropout": DROPOUT}
_BEST = {
    "per_device_train_batch_size": 8, "gradient_accumulation_steps": 1, "lora_dropout": 0.0,
    "train_sampling_strategy": "group_by_length", "disable_gradient_checkpointing": True,
}  # fmt: skip


def _command(job: Job, settings: dict[str, Any]) -> list[str | Path]:
    rows = [{"instruction": pair["question"], "input": "", "output": pair["answer"]} for pair in read_pairs(job.pairs)]
    data = job.folder / "factory"
    data.mkdir()
    (data / "pairs.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    (data / "dataset_info.json").write_text(json.dumps({"pairs": {"file_name": "pairs.json"}}), encoding="utf-8")
    named: dict[str, Any] = {
        "model_name_or_path": str(job.model), "stage": "sft", "do_train": True, "finetuning_type": "lora",
        "lora_rank": job.rank, "lora_alpha": ALPHA, "lora_target": "all", "dataset": "pairs",
        "dataset_dir": str(data), "template": "gemma2", "cutoff_len": job.max_length, "output_dir": str(job.adapter),
        "num_train_epochs": 1.0, "learning_rate": job.learning_rate, "lr_scheduler_type": "constant",
        "logging_steps": 1, "save_strategy": "no", "report_to": "none", "seed": job.seed, "bf16": job.gpu,
        "flash_attn": "disabled", "preprocessing_num_workers": 1, "overwrite_cache": True,
        "disable_gradient_checkpointing": True,
    }  # fmt: skip
    file = data / "train.yaml"
    file.write_text(yaml.safe_dump(named | settings), encoding="utf-8")
    return [environment_folder() / "bin" / "llamafactory-cli", "train", file]


def seconds(job: Job) -> float:
    """Of `train_results.json`, which it writes."""
    kept = json.loads((job.adapter / "train_results.json").read_text(encoding="utf-8"))
    return float(kept["train_runtime"])


def is_there() -> bool:
    """Whether its environment is complete."""
    return (environment_folder() / "complete").exists()


FACTORY = Trainer("LLaMA-Factory, literal settings", lambda job: _command(job, _LITERAL), seconds, is_there=is_there)
FACTORY_BEST = Trainer(
    "LLaMA-Factory, its best flags", lambda job: _command(job, _BEST), seconds, small=True, is_there=is_there
)
