"""Two processes learn what one does, whatever happens to one of them; without a GPU, by gloo."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from processes import line, lives, python
from tradewind.errors import RunDirBusyError, TemporaryError
from tradewind.lease import run_dir_lock
from tradewind.training.job import TRAINED, failure
from tradewind.training.launch import launch
from two_processes import (
    BOUND,
    Rows,
    a_rank,
    alone,
    job_of,
    launch_otherwise,
    losses,
    metrics_of,
    ranks,
    some_rows,
    wait_for,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rows() -> Rows:
    return some_rows()


@pytest.fixture(scope="module")
def by_one(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    work = tmp_path_factory.mktemp("alone") / "work"
    return work, alone(rows, work, save_total_limit=9)


def test_two_processes_learn_what_one_learns(
    rows: Rows, by_one: tuple[Path, dict[str, Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    work = job_of(rows, tmp_path)
    with caplog.at_level(logging.INFO, logger="tradewind"):
        launch(work, 2)
    metrics, expected = metrics_of(work), by_one[1]
    assert metrics["steps"] == expected["steps"] == 10
    assert losses(work) == pytest.approx(losses(by_one[0]), abs=BOUND)
    assert metrics["loss"] == pytest.approx(expected["loss"], abs=BOUND)
    assert metrics["validation_loss"] > 0
    assert metrics["chosen"]["micro_batch_size"] == 4
    assert len(metrics["peaks"]) == 2
    adapter = load_file(work / TRAINED / "adapter_model.safetensors")
    learnt = {name.replace(".default", ""): weight for name, weight in expected["weights"].items()}
    assert adapter.keys() == learnt.keys()
    for name, weight in adapter.items():
        torch.testing.assert_close(weight, learnt[name].detach(), rtol=0.02, atol=2e-4)
    told = [record.message for record in caplog.records]
    assert sum("step 10/10" in text for text in told) == 1  # by the first alone


def test_a_process_killed_amid_its_steps_costs_no_more_than_those_since_the_checkpoint(
    rows: Rows, by_one: tuple[Path, dict[str, Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    work = job_of(rows, tmp_path)
    killed: list[int] = []

    def kill() -> None:
        wait_for(work / "checkpoints" / "checkpoint-3" / "verified.json")
        process = a_rank(work, 1)
        process.kill()
        killed.append(process.pid)

    killer = Thread(target=kill)
    killer.start()
    with caplog.at_level(logging.WARNING, logger="tradewind"):
        launch(work, 2)
    killer.join()
    assert len(killed) == 1
    assert "a process was lost: all of them begin again, for the 1. time" in caplog.text
    assert "Traceback" not in caplog.text
    metrics = metrics_of(work)
    assert metrics["resumed_from_step"] in (3, 6, 9)
    assert metrics["steps"] == 10
    assert losses(work) == pytest.approx(losses(by_one[0]), abs=BOUND)


def test_a_training_that_one_process_began_is_gone_on_with_by_two(
    rows: Rows, by_one: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    work = job_of(rows, tmp_path)
    shutil.copy(by_one[0] / "plan.json", work)
    shutil.copytree(by_one[0] / "checkpoints" / "checkpoint-6", work / "checkpoints" / "checkpoint-6")
    launch(work, 2)
    metrics = metrics_of(work)
    assert (metrics["resumed_from_step"], metrics["chosen"]["processes"]) == (6, 2)
    assert losses(work) == pytest.approx(losses(by_one[0]), abs=BOUND)


def test_processes_that_die_each_time_are_told_of(rows: Rows, tmp_path: Path) -> None:
    work = job_of(rows, tmp_path)
    over = False

    def kill() -> None:
        while not over:
            for process in ranks(work):
                with suppress(psutil.Error):
                    if process.environ().get("RANK") == "1":
                        process.kill()
            time.sleep(0.02)

    killer = Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(
            TemporaryError,
            match=r"process 1 of 2 ended by SIGKILL \(.*\), for the 4\. time; start the stage again",
        ):
            launch(work, 2)
    finally:
        over = True
        killer.join()
    assert not list(ranks(work))


STAGE = """
import sys
from pathlib import Path
from tradewind.lease import run_dir_lock
from tradewind.training.launch import launch

with run_dir_lock(Path(sys.argv[1]), "finetune"):
    print("held", flush=True)
    launch(Path(sys.argv[2]), 2)
"""


def test_a_killed_stage_leaves_no_process_and_keeps_its_lock_until_then(rows: Rows, tmp_path: Path) -> None:
    work = job_of(rows, tmp_path / "work", num_train_epochs=500)
    with python(STAGE, tmp_path, work) as stage:
        assert line(stage.stdout) == "held"
        wait_for(work / "checkpoints" / "checkpoint-3" / "verified.json")
        both = list(ranks(work, stage.pid))
        assert len(both) == 2
        family = psutil.Process(stage.pid).children(recursive=True)
        assert _open_to_others(family) == []
        for process in both:  # so that they cannot end
            process.suspend()
        stage.kill()
        stage.wait()
        with pytest.raises(RunDirBusyError), run_dir_lock(tmp_path, "finetune"):
            pass
        for process in both:
            process.resume()
        assert not any(process.is_running() and lives(process.pid, 30) for process in family)
    with run_dir_lock(tmp_path, "finetune"):
        pass


def _open_to_others(family: list[psutil.Process]) -> list[Any]:
    """Ports that other machines could reach."""
    return [
        found
        for process in family
        for found in process.net_connections()
        if found.status == psutil.CONN_LISTEN and found.laddr.ip not in ("127.0.0.1", "::1")
    ]


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, "no launcher says how many there are"),
        ({"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}, "the launcher started 1"),
        ({"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1"}, "the launcher started 4"),
    ],
)
def test_another_number_of_processes_than_the_job_is_for_is_refused(
    rows: Rows, tmp_path: Path, environment: dict[str, str], found: str
) -> None:
    work = job_of(rows, tmp_path)
    command = [sys.executable, "-m", "tradewind.training.rank", str(work)]
    ended = subprocess.run(command, env=os.environ | environment, check=False, timeout=120)
    assert ended.returncode == 2
    assert str(failure(work)) == f"the job is for 2 processes, but {found} (WORLD_SIZE); start its stage again"


# Another launcher than torchrun, as Ray Train is one, and a device whose memory ends in one process alone.
ONE_SHORT_OF_MEMORY = """
import os, sys
from pathlib import Path
import torch
from transformers.models.gemma2.modeling_gemma2 import Gemma2Model
from tradewind.training.rank import run_rank

forward = Gemma2Model.forward

def limited(self, input_ids, position_ids=None, **inputs):
    # Not when the first measures what it takes, which is one example.
    if os.environ["RANK"] == "1" and position_ids is not None and int((position_ids == 0).sum()) > 3:
        raise torch.OutOfMemoryError("CUDA out of memory.")
    return forward(self, input_ids, position_ids=position_ids, **inputs)

Gemma2Model.forward = limited
run_rank(Path(sys.argv[1]))
"""


def test_memory_that_ends_in_one_process_does_not_leave_the_other_waiting(
    rows: Rows, by_one: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    work = job_of(rows, tmp_path)
    assert launch_otherwise(ONE_SHORT_OF_MEMORY, work) == [0, 0]
    assert losses(work) == pytest.approx(losses(by_one[0]), abs=BOUND)
