"""A killed training goes on from its newest whole checkpoint and ends with the weights of one never killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tradewind.files import sha256_of
from tradewind.progress import CURVE, read_curve

pytestmark = pytest.mark.slow

RECIPE = """
split: {min_items: 2}
adapt: {enabled: false}
finetune:
  num_train_epochs: 2
  per_device_train_batch_size: 8
  gradient_accumulation_steps: 2
  learning_rate: 2.0e-3
  max_length: 256
  save_steps: 5
  logging_steps: 1
  lora: {r: 8, lora_alpha: 16, lora_dropout: 0.1}
evaluate: {encoder: "embedded:all-MiniLM-L6-v2"}
"""


def _tradewind(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tradewind", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _run(*arguments: str) -> str:
    process = _tradewind(*arguments)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "resume.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def _prepared(run_dir: Path, recipe: Path, samples: Path) -> None:
    _run("prepare", "--recipe", str(recipe), "--data", str(samples), "--run-dir", str(run_dir))
    _run("adapt", "--run-dir", str(run_dir))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, recipe: Path, korean_samples: Path) -> Path:
    run_dir = tmp_path_factory.mktemp("uninterrupted")
    _prepared(run_dir, recipe, korean_samples)
    _run("finetune", "--run-dir", str(run_dir))
    return run_dir


def _kill_after_step(run_dir: Path, step: int) -> None:
    """SIGKILL as soon as the checkpoint of `step` has its manifest."""
    process = _tradewind("finetune", "--run-dir", str(run_dir))
    manifest = run_dir / ".finetune.work" / "checkpoints" / f"checkpoint-{step}" / "verified.json"
    deadline = time.monotonic() + 180
    while not manifest.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (run_dir / "finetune").exists()


@pytest.mark.parametrize("truncated", [False, True], ids=["whole", "newest truncated"])
def test_final_weights_equal_those_of_an_uninterrupted_run(
    tmp_path: Path, recipe: Path, korean_samples: Path, uninterrupted: Path, truncated: bool
) -> None:
    _prepared(tmp_path, recipe, korean_samples)
    _kill_after_step(tmp_path, 10)
    checkpoints = tmp_path / ".finetune.work" / "checkpoints"
    if truncated:
        with (checkpoints / "checkpoint-10" / "adapter_model.safetensors").open("r+b") as file:
            file.truncate(1000)
    output = _run("finetune", "--run-dir", str(tmp_path))
    expected = 5 if truncated else 10
    assert f"resume from checkpoint-{expected}" in output
    result = json.loads((tmp_path / "finetune" / "result.json").read_text(encoding="utf-8"))
    assert result["resumed_from_step"] == expected
    for weights in ("model/model.safetensors", "adapter/adapter_model.safetensors"):
        assert sha256_of(tmp_path / "finetune" / weights) == sha256_of(uninterrupted / "finetune" / weights)
    assert not (tmp_path / ".finetune.work").exists()
    # The page's curve has each step once, those of the killed try up to its checkpoint among them.
    assert read_curve(tmp_path / "finetune" / CURVE) == read_curve(uninterrupted / "finetune" / "log.jsonl")


def test_a_checkpoint_of_other_settings_is_not_gone_on_from(tmp_path: Path, recipe: Path, korean_samples: Path) -> None:
    _prepared(tmp_path, recipe, korean_samples)
    _kill_after_step(tmp_path, 5)
    settings = ("--recipe", str(recipe), "--data", str(korean_samples), "--set", "finetune.learning_rate=0.001")
    output = _run("finetune", "--run-dir", str(tmp_path), *settings)
    assert "resume from" not in output
    result = json.loads((tmp_path / "finetune" / "result.json").read_text(encoding="utf-8"))
    assert result["resumed_from_step"] is None
