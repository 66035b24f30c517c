from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bucket_server import BUCKET, FaultyProxy, keys
from published import publish_stage, weights
from shared_home import Worker
from tradewind.errors import UserError
from tradewind_airflow import macros


class _Stage:
    """An operator whose stage publishes, as `StageOperator` has it."""

    def __init__(self, run: Path, models: Path, work: Any) -> None:
        self.run_dir, self.models_dir, self.work = str(run), str(models), work


def _execute(operator: _Stage) -> Any:
    from tradewind_airflow.shared import on_shared_home

    context = {"ti": SimpleNamespace(dag_id="trade_qa", run_id="night-1")}
    return on_shared_home(lambda operator, context: operator.work())(operator, context)


def _task(home: Path, work: Any) -> Any:
    return _execute(_Stage(home / "runs/trade_qa/night-1", home / "models/trade_qa", work))


def test_a_task_sees_what_others_made_and_leaves_what_it_made(worker: Worker) -> None:
    first, second = worker("first"), worker("second")
    run = first.root / "runs/trade_qa/night-1"
    _task(first.root, lambda: publish_stage(run, "prepare", {"train.jsonl": b"{}"}))
    there = second.root / "runs/trade_qa/night-1/prepare/train.jsonl"
    assert _task(second.root, there.read_bytes) == b"{}"


def test_the_yaml_that_a_run_began_with_is_every_worker_s(
    worker: Worker, endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tradewind_airflow.pipeline.kept import KeepPipeline

    monkeypatch.setenv("TRADEWIND_HOME", f"s3://{BUCKET}/home")
    ti = SimpleNamespace(dag_id="mine", run_id="night-1")
    for name in ("first", "second"):
        home, run = worker(name).root, Path(macros.run_dir(ti.dag_id, ti.run_id))
        assert run.is_relative_to(home)
        KeepPipeline(f"name: {name}\n", tmp_path / "mine.yaml")({"ti": ti})  # type: ignore[typeddict-item]
        _execute(_Stage(run, home / "models/mine", lambda: None))
        assert (run / "pipeline.yaml").read_text() == "name: first\n"
    assert len([key for key in keys(endpoint) if "/pipeline." in key]) == 2


def test_a_task_that_could_not_send_fails_and_its_retry_sends(
    worker: Worker, proxy: FaultyProxy, endpoint: str
) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    first = worker("first")
    run = first.root / "runs/trade_qa/night-1"
    proxy.spoil("PUT", "/blobs/", "unavailable", times=99)
    with pytest.raises(AirflowException, match="nothing is lost: try again") as caught:
        _task(first.root, lambda: publish_stage(run, "finetune", {"model/w.bin": weights(0.2)}))
    assert not isinstance(caught.value, AirflowFailException), "a retry can mend it"
    assert keys(endpoint) == []
    proxy.faults.clear()
    _task(first.root, lambda: None)
    assert len(keys(endpoint, "home/blobs/")) == 1


def test_a_task_that_fails_tells_its_own_fault_and_sends_nothing(worker: Worker, proxy: FaultyProxy) -> None:
    first = worker("first")
    run = first.root / "runs/trade_qa/night-1"

    def work() -> None:
        publish_stage(run, "prepare", {"train.jsonl": b"{}"})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _task(first.root, work)
    assert proxy.count("PUT", "/") == 0


def test_a_bucket_that_refuses_ends_the_task_for_good(worker: Worker, proxy: FaultyProxy) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    first = worker("first")
    proxy.spoil("GET", "list-type", "refused", times=99)
    with pytest.raises(AirflowFailException, match="check the credentials"):
        _task(first.root, lambda: pytest.fail("the stage must not begin"))


def test_a_note_that_was_removed_goes_from_the_bucket(worker: Worker, endpoint: str) -> None:
    from tradewind_airflow.shared import withdraw

    first = worker("first")
    note = first.root / "runs/trade_qa/night-1/errors/finetune.json"

    def fails() -> None:
        note.parent.mkdir(parents=True)
        note.write_text("{}")

    _task(first.root, fails)
    assert any("/errors/finetune.json/" in key for key in keys(endpoint))
    _task(first.root, lambda: withdraw(note))
    assert not any("/errors/" in key for key in keys(endpoint, "home/manifests/"))


def test_a_home_on_a_disk_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    made = _task(tmp_path, lambda: publish_stage(tmp_path / "runs/trade_qa/night-1", "prepare", {"a": b"b"}))
    assert made.result_file("prepare").is_file()
    assert not list(tmp_path.rglob("*.use.lock"))


def test_the_home_is_the_cache_of_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tradewind_airflow import macros

    monkeypatch.setenv("TRADEWIND_CACHE", str(tmp_path))
    monkeypatch.setenv("TRADEWIND_HOME", f"s3://{BUCKET}/home/")
    assert macros.home().parent == tmp_path
    assert Path(macros.models_dir("trade_qa")) == macros.home() / "models/trade_qa"


def test_what_runs_elsewhere_refuses_a_home_in_a_bucket(worker: Worker, tmp_path: Path) -> None:
    from tradewind_airflow.shared import check_on_disk

    check_on_disk(tmp_path / "runs/trade_qa/night-1", "a pod")
    with pytest.raises(UserError, match="a pod cannot work with a home in a bucket; set TRADEWIND_HOME"):
        check_on_disk(worker("first").root / "runs/trade_qa/night-1", "a pod")
