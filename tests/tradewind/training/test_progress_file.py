"""What a training tells of itself while it runs: from a real one, and from the trainer's states that one rarely has."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from tradewind.config import LoraSettings, ModelConfig, TrainingConfig
from tradewind.files import read_jsonl
from tradewind.models import locate
from tradewind.progress import CURVE, PROGRESS, Progress, read_curve, read_progress
from tradewind.training.load import load_model, load_tokenizer
from tradewind.training.progress_file import ProgressFile
from tradewind.training.tokens import pair_tokens
from tradewind.training.train import train

PAIRS = [(f"What is term {at}?", f"Term {at} is a word of trade.") for at in range(12)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of a training of six steps that logs each second one."""
    work = tmp_path_factory.mktemp("work")
    base = locate("embedded:tiny-gemma2")
    tokenizer = load_tokenizer(base)
    config = TrainingConfig(
        num_train_epochs=1, per_device_train_batch_size=2, gradient_accumulation_steps=1, learning_rate=1e-3,
        max_length=64, save_steps=100, logging_steps=2, lora=LoraSettings(r=4, lora_alpha=8),
    )  # fmt: skip
    rows = [pair_tokens(tokenizer, *pair) for pair in PAIRS]
    train("finetune", load_model(base, ModelConfig()), tokenizer, rows, config, 42, work)
    return work


def test_the_curve_is_that_of_the_log(trained: Path) -> None:
    curve = read_jsonl(trained / CURVE)
    assert [point["step"] for point in curve] == [2, 4, 6]
    assert [set(point) for point in curve] == [{"step", "loss", "learning_rate"}] * 3
    logged = {entry["step"]: entry for entry in read_jsonl(trained / "log.jsonl")}
    assert {point["step"]: point["loss"] for point in curve} == {step: entry["loss"] for step, entry in logged.items()}
    assert read_curve(trained / CURVE) == read_curve(trained / "log.jsonl")


def test_its_last_word_is_the_last_step(trained: Path) -> None:
    found = read_progress(trained)
    assert found is not None
    assert (found.stage, found.step, found.max_steps, found.epoch, found.seconds_left) == ("finetune", 6, 6, 1.0, 0.0)
    assert found.tokens_per_second is not None
    assert found.tokens_per_second > 0
    assert (found.gpu_memory_bytes is None) is (found.gpu_memory_total is None) is not torch.cuda.is_available()
    assert found.started_at <= found.updated_at


class _Trainer:
    """The trainer's calls, at any step and with any loss."""

    def __init__(self, work: Path) -> None:
        self.callback = ProgressFile("finetune", work)
        self.arguments = TrainingArguments(output_dir=str(work), report_to="none", use_cpu=True)
        self.state = TrainerState(max_steps=100)

    def begin(self, step: int = 0) -> _Trainer:
        """As on a fresh start, or gone on from the checkpoint of `step`."""
        self.state.global_step = step
        self.state.log_history = [{"step": at, "loss": float(at), "learning_rate": 0.1} for at in range(1, step + 1)]
        self.callback.on_train_begin(self.arguments, self.state, TrainerControl())
        return self

    def log(self, step: int, **logs: float) -> None:
        self.state.global_step, self.state.epoch = step, step / 10
        self.state.log_history.append({**logs, "step": step})
        self.callback.on_log(self.arguments, self.state, TrainerControl(), logs=dict(logs))

    def end(self, step: int) -> None:
        """The trainer's sums come last, without a loss."""
        self.log(step, train_runtime=1.0)
        self.callback.on_train_end(self.arguments, self.state, TrainerControl())


def _progress(work: Path) -> Progress:
    return Progress.model_validate_json((work / PROGRESS).read_bytes())


def test_before_the_first_step_it_says_how_many_there_will_be(tmp_path: Path) -> None:
    _Trainer(tmp_path).begin()
    found = _progress(tmp_path)
    assert (found.step, found.max_steps, found.loss, found.tokens_per_second, found.seconds_left) == (
        0, 100, None, None, None,
    )  # fmt: skip
    assert (tmp_path / CURVE).read_text() == ""


def test_a_resumed_one_keeps_the_curve_up_to_its_checkpoint_only(tmp_path: Path) -> None:
    """What the killed try logged after the checkpoint is trained, and logged, again."""
    killed = _Trainer(tmp_path).begin()
    for step in range(1, 8):
        killed.log(step, loss=float(step), learning_rate=0.1)
    again = _Trainer(tmp_path).begin(5)
    again.log(6, loss=6.5, learning_rate=0.1)
    assert [(point["step"], point["loss"]) for point in read_jsonl(tmp_path / CURVE)] == [
        (1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 5.0), (6, 6.5),
    ]  # fmt: skip


def test_the_time_left_is_of_this_process_own_pace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("tradewind.training.progress_file.time.monotonic", lambda: clock[0])
    trainer = _Trainer(tmp_path).begin(50)
    clock[0] += 20
    trainer.log(60, loss=1.0, num_tokens=4000)
    found = _progress(tmp_path)
    assert (found.seconds_left, found.tokens_per_second) == (80.0, 200.0)  # 40 steps of 2 s


def test_a_training_that_is_done_says_so_where_its_last_step_was_not_logged(tmp_path: Path) -> None:
    """Else the page showed a model that is ready at 95 %."""
    trainer = _Trainer(tmp_path).begin()
    trainer.log(95, loss=1.5, learning_rate=0.1)
    trainer.end(100)
    found = _progress(tmp_path)
    assert (found.step, found.max_steps, found.loss, found.seconds_left) == (100, 100, 1.5, 0.0)
    assert [point["step"] for point in read_jsonl(tmp_path / CURVE)] == [95]


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_diverged_loss_is_null(tmp_path: Path, loss: float) -> None:
    _Trainer(tmp_path).begin().log(1, loss=loss, learning_rate=0.1)
    assert _progress(tmp_path).loss is None
    assert json.loads((tmp_path / CURVE).read_text(), parse_constant=pytest.fail)["loss"] is None


def test_what_the_trainer_logs_without_a_loss_is_no_point(tmp_path: Path) -> None:
    _Trainer(tmp_path).begin().log(10, train_runtime=1.0)
    assert (tmp_path / CURVE).read_text() == ""
    assert _progress(tmp_path).step == 0


def test_a_folder_that_takes_no_file_does_not_end_the_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = _Trainer(tmp_path / "gone")
    with caplog.at_level(logging.WARNING, logger="tradewind"):
        trainer.begin().log(1, loss=1.0)
    assert "the progress is not kept" in caplog.text
