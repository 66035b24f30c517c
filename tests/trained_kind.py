"""`python trained_kind.py WORK JSON`: train and save the embedded model as the stages do, with these settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SETTINGS: dict[str, Any] = {
    "num_train_epochs": 2, "learning_rate": 2e-3, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1,
    "logging_steps": 1, "save_steps": 4, "max_length": 64,
}  # fmt: skip


def train_and_save(work: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Leaves `work/model`, and with LoRA `work/adapter`; returns the metrics."""
    from tradewind.config import ModelConfig, TrainingConfig
    from tradewind.models import locate
    from tradewind.training.load import load_model, load_tokenizer
    from tradewind.training.merge import Before, save_trained
    from tradewind.training.tokens import pair_tokens
    from tradewind.training.train import train

    source = locate("embedded:tiny-gemma2")
    tokenizer, model = load_tokenizer(source), load_model(source, ModelConfig())
    rows = [pair_tokens(tokenizer, f"What is term {n}?", f"It is the answer {n}.") for n in range(32)]
    config = TrainingConfig(**(SETTINGS | settings))
    before = Before.of(model, rows[0]["input_ids"])
    trained, metrics = train("finetune", model, tokenizer, rows, config, 1, work)
    return metrics | save_trained(trained, tokenizer, before, ModelConfig(), work)


def killed_after(step: int, work: Path, settings: dict[str, Any]) -> None:
    """Train in a process of its own, which is killed as soon as the checkpoint of `step` is whole."""
    command = [sys.executable, __file__, str(work), json.dumps(settings)]
    whole = work / "checkpoints" / f"checkpoint-{step}" / "verified.json"
    deadline = time.monotonic() + 180
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        while not whole.exists():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            os.sched_yield()
        process.send_signal(signal.SIGKILL)
    assert not (work / "model").exists()


if __name__ == "__main__":
    train_and_save(Path(sys.argv[1]), json.loads(sys.argv[2]))
