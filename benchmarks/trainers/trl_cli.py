"""TRL's own command line with its defaults: its batch of 8, its gradient checkpointing, its precision.

Named are the model, the data, the adapter, the learning rate and how long; all else is as `trl sft` has it.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from trainers.job import ALPHA, DROPOUT, TARGETS, Job, Trainer, read_pairs

_LITERAL = (
    "--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "4", "--gradient_checkpointing", "false",
    "--bf16", "false",
)  # fmt: skip
_SECONDS = re.compile(r"'train_runtime': '?([\d.]+)")


def command(job: Job, *changes: str) -> list[str | Path]:
    """Its arguments; the pairs are written as it wants them, a conversation each."""
    data = job.folder / "trl"
    data.mkdir()
    with (data / "train.jsonl").open("w", encoding="utf-8") as file:
        for pair in read_pairs(job.pairs):
            turns = [("user", pair["question"]), ("assistant", pair["answer"])]
            row = {"messages": [{"role": role, "content": content} for role, content in turns]}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    words: list[str | Path] = [Path(sys.executable).with_name("trl"), "sft", "--model_name_or_path", job.model]
    words += ["--dataset_name", data, "--output_dir", job.adapter, "--max_length", str(job.max_length)]
    words += ["--use_peft", "--lora_r", str(job.rank), "--lora_alpha", str(ALPHA), "--lora_dropout", str(DROPOUT)]
    words += ["--lora_target_modules", *TARGETS, "--learning_rate", str(job.learning_rate)]
    words += ["--lr_scheduler_type", "constant", "--num_train_epochs", "1", "--seed", str(job.seed)]
    words += ["--attn_implementation", "eager", "--dtype", "bfloat16" if job.gpu else "float32"]
    # Its precision by default is bf16, which it refuses on a CPU until it is told that there is only a CPU.
    words += [] if job.gpu else ["--use_cpu", "true"]
    return [*words, "--logging_steps", "1", "--report_to", "none", "--save_strategy", "no", *changes]


def seconds(job: Job) -> float:
    """From what it prints at its end; ValueError where it does not."""
    found = _SECONDS.findall(job.log.read_text(encoding="utf-8", errors="replace"))
    if not found:
        raise ValueError(f"{job.log}: holds no train_runtime")
    return float(found[-1])


TRL = Trainer("trl sft, its defaults", command, seconds)
TRL_LITERAL = Trainer("trl sft, literal settings", lambda job: command(job, *_LITERAL), seconds)
