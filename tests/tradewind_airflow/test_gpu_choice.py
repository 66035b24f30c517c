"""A task's GPUs: chosen among free ones, waited for, and told to the stage that is to hold them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from processes import DEADLINE
from tradewind.errors import UserError
from tradewind.lease import gpu_leases, is_leased
from tradewind_airflow import gpu_choice
from tradewind_airflow.gpu_choice import GpuChoice
from tradewind_airflow.gpus import Gpu
from tradewind_airflow.stop_request import StopRequest
from tries import wait_for

WHO = "trade_qa/manual__1 finetune/1"


@pytest.fixture(autouse=True)
def leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with two GPUs, whose tasks look again soon."""
    monkeypatch.setenv("TRADEWIND_GPUS", "0,1")
    monkeypatch.setenv("TRADEWIND_LEASE_DIR", str(tmp_path / "leases"))
    monkeypatch.setattr(gpu_choice, "_PAUSE", 0.01)
    return tmp_path / "leases"


def test_a_task_without_gpus_asks_for_none_and_cares_for_none(leases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_GPUS", "broken,,")
    choice = GpuChoice(0, StopRequest())
    assert choice.take() == []
    assert choice.leases is None
    assert choice.arguments([]) == []
    assert choice.process_environment([])["CUDA_VISIBLE_DEVICES"] == ""
    assert not leases.exists()


def test_more_than_the_host_has_is_told_at_once() -> None:
    with pytest.raises(UserError, match=r"gpus=3: this host has 2 \(0, 1\)"):
        GpuChoice(3, StopRequest())


def test_the_free_gpu_is_taken_and_told_to_the_stage(leases: Path) -> None:
    choice = GpuChoice(1, StopRequest())
    with gpu_leases(leases, ["0"]):
        chosen = choice.take()
    assert chosen == [Gpu("1")]
    assert choice.arguments(chosen) == ["--lease-dir", str(leases), "--gpu", "1"]
    variables = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "1"}
    assert choice.process_environment(chosen) == variables
    assert not is_leased(leases, "1")  # the stage itself is to hold it


def test_each_of_several_gpus_is_told(leases: Path) -> None:
    choice = GpuChoice(2, StopRequest())
    told = ["--lease-dir", str(leases), "--gpu", "0", "--gpu", "1"]
    assert choice.arguments(choice.take()) == told
    shared = GpuChoice(2, StopRequest(), processes=2)
    assert shared.arguments(shared.take()) == [*told, "--processes", "2"]


def test_an_amd_gpu_is_shown_by_its_place_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_GPUS", "amd:renderD128,renderD129")
    assert GpuChoice(1, StopRequest()).process_environment([Gpu("renderD129", "amd")]) == {"HIP_VISIBLE_DEVICES": "1"}


def test_it_waits_until_enough_are_free_and_says_so_once(leases: Path, caplog: pytest.LogCaptureFixture) -> None:
    choice = GpuChoice(2, StopRequest(), busy=WHO)
    with ThreadPoolExecutor(1) as pool:
        with gpu_leases(leases, ["1"]), caplog.at_level("INFO", "tradewind_airflow"):
            outcome = pool.submit(choice.take)
            wait_for(lambda: caplog.messages, "it says that it waits")
            with pytest.raises(TimeoutError):  # and many looks later it still waits
                outcome.result(0.2)
        assert outcome.result(DEADLINE) == [Gpu("0"), Gpu("1")]
    assert caplog.messages == [f"{WHO}: waits for 2 of 2 GPUs; others hold them"]


def test_a_task_that_is_stopped_waits_no_longer(leases: Path, caplog: pytest.LogCaptureFixture) -> None:
    stop = StopRequest()
    choice = GpuChoice(1, stop, busy=WHO)
    with (
        gpu_leases(leases, ["0", "1"]),
        ThreadPoolExecutor(1) as pool,
        caplog.at_level("INFO", "tradewind_airflow"),
    ):
        outcome = pool.submit(choice.take)
        wait_for(lambda: caplog.messages, "it says that it waits")
        stop.requested = True
        with pytest.raises(AirflowException, match="stopped while it waited for a GPU") as caught:
            outcome.result(DEADLINE)
    assert WHO in str(caught.value)
    assert not isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize(("code", "again"), [(69, True), (0, False), (1, False), (2, False), (75, False), (-9, False)])
def test_another_choice_is_due_where_the_gpu_was_taken_and_the_task_not_stopped(code: int, again: bool) -> None:
    stop = StopRequest()
    choice = GpuChoice(1, stop)
    assert choice.was_taken(code) is again
    stop.requested = True
    assert choice.was_taken(code) is False


def test_a_task_without_gpus_is_never_too_late() -> None:
    assert not GpuChoice(0, StopRequest()).was_taken(69)
