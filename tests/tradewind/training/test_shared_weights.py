"""Two processes of which each holds half the weights learn what one learns: FSDP2 for real, by gloo on a CPU."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tradewind.errors import UserError
from tradewind.training.job import TRAINED, failure
from tradewind.training.launch import launch
from tradewind.training.shared_weights import check_checkpoint, held_bytes
from two_processes import (
    BOUND,
    Rows,
    a_rank,
    alone,
    job_of,
    launch_otherwise,
    losses,
    metrics_of,
    some_rows,
    wait_for,
)

FULL: dict[str, Any] = {"lora": None, "learning_rate": 2e-4}


@pytest.fixture(scope="module")
def rows() -> Rows:
    return some_rows()


@contextmanager
def _one_killed(work: Path, step: int) -> Iterator[None]:
    """The second process, as soon as the checkpoint of `step` is whole."""
    killed: list[int] = []

    def kill() -> None:
        wait_for(work / "checkpoints" / f"checkpoint-{step}" / "verified.json")
        process = a_rank(work, 1)
        process.kill()
        killed.append(process.pid)

    killer = Thread(target=kill)
    killer.start()
    yield
    killer.join()
    assert len(killed) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "file"),
    [
        # As a model that does not fit one GPU is trained: one example at once, activations computed twice.
        ({}, "adapter_model.safetensors"),
        (FULL | {"micro_batch_size": 2, "gradient_checkpointing": False}, "model.safetensors"),
    ],
    ids=["lora", "full"],
)
def test_two_processes_with_half_the_weights_learn_what_one_learns_though_one_is_killed(
    rows: Rows, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: dict[str, Any], file: str
) -> None:
    expected = alone(rows, tmp_path / "alone", **kind)
    work = job_of(rows, tmp_path / "together", fsdp=True, **kind)
    with caplog.at_level(logging.INFO, logger="tradewind"), _one_killed(work, 3):
        launch(work, 2)
    metrics = metrics_of(work)
    assert (metrics["steps"], metrics["chosen"]["sharded"]) == (10, True)
    assert metrics["resumed_from_step"] in (3, 6, 9)
    assert metrics["trainable_parameters"] == expected["trainable_parameters"]
    assert losses(work) == pytest.approx(losses(tmp_path / "alone"), abs=BOUND)
    assert metrics["validation_loss"] > 0
    assert "Traceback" not in caplog.text
    for held, total in re.findall(r"each of 2 processes holds ([\d.]+) of ([\d.]+) MiB of weights", caplog.text):
        assert 0.49 < float(held) / float(total) < 0.52
    assert "each of 2 processes holds" in caplog.text
    learnt = {name.replace(".default", ""): weight for name, weight in expected["weights"].items()}
    trained = load_file(work / TRAINED / file)
    assert trained.keys() == learnt.keys()
    for name, weight in trained.items():
        torch.testing.assert_close(weight, learnt[name].detach(), rtol=0.02, atol=2e-4)


LEFT_WHOLE = """
import sys
from pathlib import Path
import accelerate.accelerator
from tradewind.training.rank import serve

accelerate.accelerator.fsdp2_prepare_model = lambda accelerator, model: model
sys.exit(serve(Path(sys.argv[1])))
"""


@pytest.mark.slow
def test_weights_that_a_library_leaves_whole_are_not_trained(rows: Rows, tmp_path: Path) -> None:
    work = job_of(rows, tmp_path, fsdp=True)
    assert launch_otherwise(LEFT_WHOLE, work) == [2, 2]
    assert str(failure(work)).endswith(
        "is not shared out among the 2 processes; install the locked accelerate, or set fsdp: false"
    )
    assert not (work / "log.jsonl").exists()


def test_a_weight_that_is_whole_is_named() -> None:
    with pytest.raises(UserError, match=r"^fsdp: weight is not shared out among the 2 processes; install"):
        held_bytes(nn.Linear(2, 2), 2)


def test_a_checkpoint_is_gone_on_with_as_it_was_written(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "checkpoint-3"
    checkpoint.mkdir(parents=True)
    check_checkpoint(None, sharded=True)
    check_checkpoint(checkpoint, sharded=False)
    with pytest.raises(UserError, match=r"checkpoint-3: .* whole in each process, and now they would be shared out; "):
        check_checkpoint(checkpoint, sharded=True)
    (checkpoint / "pytorch_model_fsdp.bin").touch()
    check_checkpoint(checkpoint, sharded=True)
    with pytest.raises(UserError, match=r"shared out, and now .* whole in each process; go .* fsdp: true, or remove "):
        check_checkpoint(checkpoint, sharded=False)
