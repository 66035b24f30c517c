"""One process computes on one GPU, however many it sees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Where torch says that there are two; none of them is touched.
TWO_SEEN = """
import sys
from pathlib import Path
from unittest import mock
from trl import SFTConfig
from tradewind.config import ModelConfig, TrainingConfig
from tradewind.models import EMBEDDED
from tradewind.training.load import load_model
from tradewind.training.plan import plan_training
from tradewind.training.train import _arguments

config, folder = TrainingConfig(), Path(sys.argv[1])
model = load_model(EMBEDDED / "tiny-gemma2", ModelConfig(), device="cpu")
plan = plan_training("finetune", model, [{"input_ids": [7] * 9}], config, folder / "plan.json")
with (
    mock.patch("torch.cuda.is_available", lambda: True),
    mock.patch("torch.cuda.device_count", lambda: 2),
    mock.patch("torch.cuda.set_device", lambda _: None),
    mock.patch("torch.cuda.is_bf16_supported", lambda *_, **__: True),
):
    other, made = SFTConfig(output_dir=str(folder)), _arguments(config, plan, 1, folder)
    print(other.n_gpu, other.train_batch_size, made.n_gpu, made.train_batch_size, made.device, flush=True)
"""


def test_of_two_gpus_one_process_takes_the_first(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TWO_SEEN, str(tmp_path)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout
    assert told.split() == ["2", "16", "1", "8", "cuda:0"]
