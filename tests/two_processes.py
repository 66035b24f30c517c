"""A small training by one process and by two, and the two as a test finds them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tradewind.config import ModelConfig, TrainingConfig
from tradewind.models import locate
from tradewind.training.job import TrainJob, write_job
from tradewind.training.load import load_model, load_tokenizer
from tradewind.training.tokens import pair_tokens
from tradewind.training.train import train

TINY = locate("embedded:tiny-gemma2")
BOUND = 1e-4
"""Of a step's loss, which is 1 to 8, in float32: sums are made in another order, which differed by 2e-6 at most when it
was tried. What is wrong in the division of a step, be it one example, is a hundred times as much."""
SETTINGS: dict[str, Any] = {
    "num_train_epochs": 2,
    "learning_rate": 2e-3,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 4,
    "logging_steps": 1,
    "save_steps": 3,
    "lora": {"r": 8, "lora_alpha": 16},
}
Rows = list[dict[str, list[int]]]
DEADLINE = 120.0


def some_rows() -> Rows:
    """Of which the last step of an epoch has one: nothing is left for the second process."""
    tokenizer = load_tokenizer(TINY)
    return [
        pair_tokens(tokenizer, f"What is term {n}?" + " And why?" * (n % 4), f"It is the answer {n}. " * (1 + n % 3))
        for n in range(33)
    ]


def alone(rows: Rows, work: Path, **settings: Any) -> dict[str, Any]:
    """Trained by this process: the metrics, and the trained `weights`."""
    work.mkdir()
    config = TrainingConfig(**(SETTINGS | settings))
    model = load_model(TINY, ModelConfig(), config.quantization_config)
    model, metrics = train("finetune", model, load_tokenizer(TINY), rows, config, 1, work)
    return metrics | {"weights": {name: item for name, item in model.named_parameters() if item.requires_grad}}


def job_of(rows: Rows, work: Path, **settings: Any) -> Path:
    """The same training, to be done by two processes; returns `work`."""
    work.mkdir(exist_ok=True)
    job = TrainJob(
        name="finetune", source=str(TINY), source_is_folder=True, model=ModelConfig(), processes=2, device="cpu",
        config=TrainingConfig(**(SETTINGS | settings)), seed=1,
    )  # fmt: skip
    write_job(work, job, rows=rows, validation=rows[:3])
    return work


def launch_otherwise(program: str, work: Path) -> list[int]:
    """Run a program of the test's own, given `work`, as each of the two processes; returns their exit codes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
                           "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}  # fmt: skip
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(work)], env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        )
        for rank in range(2)
    ]
    try:
        return [process.wait(180) for process in started]
    finally:
        for process in started:
            process.kill()


def metrics_of(work: Path) -> dict[str, Any]:
    """What the first of them left."""
    found: dict[str, Any] = json.loads((work / "job" / "metrics.json").read_text(encoding="utf-8"))
    return found


def losses(work: Path) -> list[float]:
    """Step by step."""
    return [json.loads(line)["loss"] for line in (work / "log.jsonl").read_text("utf-8").splitlines()]


def ranks(work: Path, of: int | None = None) -> Iterator[psutil.Process]:
    """The processes of a job that live below this one, or below `of`."""
    for process in psutil.Process(of or os.getpid()).children(recursive=True):
        with suppress(psutil.Error):
            if process.cmdline()[1:4] == ["-m", "tradewind.training.rank", str(work)]:
                yield process


def a_rank(work: Path, number: int) -> psutil.Process:
    """Wait for the process of this number."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        for process in ranks(work):
            with suppress(psutil.Error):
                if process.environ()["RANK"] == str(number):
                    return process
        time.sleep(0.01)
    raise AssertionError(f"no rank {number}")


def wait_for(path: Path) -> None:
    """Until a file is there."""
    end = time.monotonic() + DEADLINE
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.01)
