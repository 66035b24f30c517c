"""A stage as a subprocess with GPUs of its own: it holds them itself, and its task waits until it can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from processes import DEADLINE, Gate
from tradewind.lease import gpu_leases, is_leased
from tradewind_airflow import gpu_choice
from tradewind_airflow.gpu_choice import GpuChoice
from tradewind_airflow.gpus import Gpu
from tradewind_airflow.operators.gemma import GemmaAdaptOperator
from tries import wait_for

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The locks of a host with two GPUs, whose tasks look again soon."""
    (tmp_path / "leases").mkdir()
    monkeypatch.setenv("TRADEWIND_GPUS", "0,1")
    monkeypatch.setenv("TRADEWIND_LEASE_DIR", str(tmp_path / "leases"))
    monkeypatch.setattr(gpu_choice, "_PAUSE", 0.01)
    return tmp_path / "leases"


def _leased(leases: Path) -> str:
    return ",".join(gpu for gpu in "01" if is_leased(leases, gpu))


class Task:
    """A task whose stage, once it has its GPUs, stands at a gate; it is turned off, so the task ends skipped."""

    def __init__(self, run: Path, **settings: Any) -> None:
        self.run = run
        self.gate = Gate(run)
        self.operator = GemmaAdaptOperator(
            task_id="adapt", recipe="tiny", data="embedded:en", seed=1, run_dir=str(run), overrides=Gate.settings,
            **settings,
        )  # fmt: skip

    @contextmanager
    def executed(self, context: Context) -> Iterator[Future[Any]]:
        with ThreadPoolExecutor(1) as pool:
            try:
                yield pool.submit(self.operator.execute, context)
            finally:
                self.operator.on_kill()

    def variables(self) -> dict[str, str]:
        """The environment of the stage at its gate."""
        pid = json.loads((self.run / ".training.lock").read_text(encoding="utf-8"))["pid"]
        raw = Path(f"/proc/{pid}/environ").read_bytes().decode()
        return dict(entry.split("=", 1) for entry in raw.split("\0") if entry)


def _assert_skipped(outcome: Future[Any]) -> None:
    with pytest.raises(AirflowSkipException, match=r"adapt\.enabled is false"):
        outcome.result(DEADLINE)


@pytest.mark.parametrize("gpus", [0, 1])
@pytest.mark.parametrize("env", [{}, {"CUDA_VISIBLE_DEVICES": "0,1", "CUDA_DEVICE_ORDER": "FASTEST_FIRST"}])
def test_the_stage_holds_and_sees_its_own_gpus_whatever_others_say(
    tmp_path: Path, leases: Path, context: Context, monkeypatch: pytest.MonkeyPatch, gpus: int, env: dict[str, str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    task = Task(tmp_path / "run", gpus=gpus, env=env)
    with task.executed(context) as outcome:
        with task.gate.reached():
            held, seen = _leased(leases), task.variables()
        _assert_skipped(outcome)
    assert len(held.replace(",", "")) == gpus
    assert (seen["CUDA_DEVICE_ORDER"], seen["CUDA_VISIBLE_DEVICES"]) == ("PCI_BUS_ID", held)
    assert _leased(leases) == ""


def test_it_waits_while_others_hold_the_gpus_and_goes_on_when_one_is_free(
    tmp_path: Path, leases: Path, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    task = Task(tmp_path / "run", gpus=1)
    with ExitStack() as others, caplog.at_level("INFO", "tradewind_airflow"):
        others.enter_context(gpu_leases(leases, ["0"]))
        freed = others.enter_context(ExitStack())
        freed.enter_context(gpu_leases(leases, ["1"]))
        outcome = others.enter_context(task.executed(context))
        wait_for(lambda: caplog.messages, "it says that it waits")
        who = "trade_qa/manual__2026-11-20T02:00:00+00:00 a_task/1"
        assert caplog.messages == [f"{who}: waits for 1 of 2 GPUs; others hold them"]
        assert not (tmp_path / "run/.lock").exists()
        freed.close()
        with task.gate.reached():
            assert _leased(leases) == "0,1"
            assert task.variables()["CUDA_VISIBLE_DEVICES"] == "1"
        _assert_skipped(outcome)


def test_a_gpu_that_another_takes_in_that_moment_is_replaced_by_another(
    tmp_path: Path, leases: Path, context: Context, monkeypatch: pytest.MonkeyPatch, events: list[Any]
) -> None:
    task = Task(tmp_path / "run", gpus=1)
    taken: list[Gpu] = []
    take = GpuChoice.take
    with ExitStack() as another:

        def chosen_and_lost(choice: GpuChoice) -> list[Gpu]:
            chosen = take(choice)
            if not taken:
                another.enter_context(gpu_leases(leases, [gpu.id for gpu in chosen]))
                taken.extend(chosen)
            return chosen

        monkeypatch.setattr(GpuChoice, "take", chosen_and_lost)
        with task.executed(context) as outcome:
            with task.gate.reached():
                assert task.variables()["CUDA_VISIBLE_DEVICES"] == {"0": "1", "1": "0"}[taken[0].id]
            _assert_skipped(outcome)
    lines = [event["event"] % event.get("positional_args", ()) for event in events]
    assert f"tradewind: GPU {taken[0].id}: held by another process; another GPU may be free" in lines


def test_a_task_that_is_stopped_while_it_waits_ends(
    tmp_path: Path, leases: Path, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    task = Task(tmp_path / "run", gpus=2)
    with gpu_leases(leases, ["1"]), caplog.at_level("INFO", "tradewind_airflow"), task.executed(context) as outcome:
        wait_for(lambda: caplog.messages, "it says that it waits")
        task.operator.on_kill()
        with pytest.raises(AirflowException, match="stopped while it waited for a GPU") as caught:
            outcome.result(DEADLINE)
    assert not isinstance(caught.value, AirflowFailException)


def test_more_gpus_than_the_host_has_are_never_waited_for(tmp_path: Path, leases: Path, context: Context) -> None:
    with pytest.raises(AirflowFailException) as caught:
        Task(tmp_path / "run", gpus=5).operator.execute(context)
    assert str(caught.value) == "gpus=5: this host has 2 (0, 1); ask for fewer, or list them in TRADEWIND_GPUS"
    assert list(leases.iterdir()) == []


@pytest.mark.parametrize("gpus", [0, 1])
def test_a_cluster_of_one_process_is_none(tmp_path: Path, leases: Path, context: Context, gpus: int) -> None:
    task = Task(tmp_path / "run", cluster={"nodes": 1, "gpus": gpus})
    with task.executed(context) as outcome:
        with task.gate.reached():
            assert len(_leased(leases)) == gpus
        _assert_skipped(outcome)


@pytest.mark.parametrize("stated", [{"gpus": 2}, {"cluster": {"nodes": 1, "gpus": 2}}])
def test_gpus_that_torch_does_not_see_end_the_stage_rather_than_leave_it_to_the_cpu(
    tmp_path: Path, leases: Path, context: Context, stated: dict[str, Any]
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        Task(tmp_path / "run", **stated).operator.execute(context)
    assert str(caught.value) == (
        "--processes 2: 2 GPUs are for them, but torch sees 0; let it see these (CUDA_VISIBLE_DEVICES), or install a "
        "torch for this GPU"
    )
    assert _leased(leases) == ""
