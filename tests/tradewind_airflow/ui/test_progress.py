"""How far a training is: from its work folder while it runs, from what it published afterwards."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_pages import DAG_ID, FOREIGN, RUN_ID, login, set_state
from tradewind.files import write_atomically, write_jsonl
from tradewind.progress import CURVE, PROGRESS, Progress
from tradewind.run_dir import RunDir, run_path
from tradewind.shard import Shard

PROGRESS_URL = "/tradewind/api/progress"
Triggered = Callable[..., str]
STATE = Progress(
    stage="finetune", step=2, max_steps=20, epoch=0.1, loss=2.5, tokens_per_second=900.0, seconds_left=33.0,
    gpu_memory_bytes=None, gpu_memory_total=None, started_at="2026-11-20T02:00:00+00:00",
    updated_at="2026-11-20T02:01:00+00:00",
)  # fmt: skip


@pytest.fixture
def shown(get: Any) -> Callable[..., dict[str, Any]]:
    def ask(task_id: str = "finetune", **more: Any) -> dict[str, Any]:
        answer = get(PROGRESS_URL, **{"dag_id": DAG_ID, "run_id": RUN_ID, "task_id": task_id} | more)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    return ask


@pytest.fixture
def training(run: RunDir, triggered: Triggered) -> RunDir:
    """A run whose fine-tuning goes on a second time: what the first published stands there still."""
    triggered(finetune="running")
    work = run.work("finetune")
    work.mkdir()
    write_atomically(work / PROGRESS, STATE.model_dump_json())
    write_jsonl(work / CURVE, [{"step": at, "loss": 3.0 / at, "learning_rate": 0.1} for at in (1, 2)])
    write_jsonl(run.published("finetune") / "log.jsonl", [{"step": 9, "loss": 0.5, "learning_rate": 0.2, "epoch": 1.0}])
    return run


def test_while_it_runs_it_tells_of_this_try(training: RunDir, shown: Any) -> None:
    body = shown()
    assert (body["state"], body["training"], body["metrics"]) == ("running", True, None)
    assert body["progress"] == STATE.model_dump()
    assert body["curve"] == [
        {"step": 1, "loss": 3.0, "learning_rate": 0.1}, {"step": 2, "loss": 1.5, "learning_rate": 0.1},
    ]  # fmt: skip


def test_afterwards_it_tells_what_was_published(training: RunDir, shown: Any) -> None:
    set_state(DAG_ID, RUN_ID, "finetune", "success")
    body = shown()
    assert body["curve"] == [{"step": 9, "loss": 0.5, "learning_rate": 0.2}]
    assert body["metrics"]["changed_tensors"] == 14


def test_a_failed_one_shows_how_far_it_came(training: RunDir, shown: Any) -> None:
    set_state(DAG_ID, RUN_ID, "finetune", "failed")
    assert shown()["progress"]["step"] == 2


def test_a_trial_of_a_sweep_tells_of_its_own_training(home: Path, triggered: Triggered, shown: Any) -> None:
    triggered(dag_id="trials", trials="running")
    run_dir = RunDir(run_path(home, "trials", RUN_ID))
    for number in (1, 2):
        work = run_dir.work(Shard(number, 2).folder("finetune"))
        work.mkdir(parents=True)
        write_atomically(work / PROGRESS, STATE.model_copy(update={"step": number}).model_dump_json())
    for index in (0, 1):
        body = shown("trials", dag_id="trials", map_index=str(index))
        assert (body["training"], body["progress"]["step"]) == (True, index + 1)


@pytest.mark.parametrize("damage", ["", "{", '{"step": 1}'])
def test_a_file_half_written_is_none(training: RunDir, shown: Any, damage: str) -> None:
    (training.work("finetune") / PROGRESS).write_text(damage)
    with (training.work("finetune") / CURVE).open("a") as file:
        file.write('{"step": 3, "lo')
    body = shown()
    assert body["progress"] is None
    assert [point["step"] for point in body["curve"]] == [1, 2]


def test_before_its_first_step_there_is_nothing(run: RunDir, triggered: Triggered, shown: Any) -> None:
    triggered(finetune="running")
    assert shown() == {
        "state": "running", "training": True, "progress": None, "silent_seconds": None, "curve": [], "metrics": None,
    }  # fmt: skip


def test_a_loss_that_is_no_number_is_null(training: RunDir, get: Any, shown: Any) -> None:
    write_jsonl(training.work("finetune") / CURVE, [{"step": 1, "loss": float("nan"), "learning_rate": 0.1}])
    assert "NaN" in (training.work("finetune") / CURVE).read_text()
    assert shown()["curve"] == [{"step": 1, "loss": None, "learning_rate": 0.1}]


def test_a_long_curve_is_thinned_to_what_can_be_drawn(training: RunDir, shown: Any) -> None:
    write_jsonl(training.work("finetune") / CURVE, [{"step": at, "loss": 1.0} for at in range(1, 25_001)])
    steps = [point["step"] for point in shown()["curve"]]
    assert len(steps) <= 1000
    assert steps == sorted(steps)
    assert (steps[0] <= 25, steps[-1]) == (True, 25_000)


def test_a_very_long_curve_is_not_read_whole(training: RunDir, shown: Any) -> None:
    """The page asks every three seconds."""
    lines = (f'{{"step": {at}, "loss": 1.5, "learning_rate": 0.0001}}\n' for at in range(1, 1_000_001))
    (training.work("finetune") / CURVE).write_text("".join(lines) + '{"step": 1000001, "lo')
    began = time.process_time()
    steps = [point["step"] for point in shown()["curve"]]
    assert time.process_time() - began < 0.5
    assert 500 < len(steps) <= 1000
    assert steps == sorted(set(steps))
    assert (steps[0] < 2000, steps[-1]) == (True, 1_000_000)


def test_a_progress_file_that_is_none_is_not_read_whole(training: RunDir, shown: Any) -> None:
    (training.work("finetune") / PROGRESS).write_text(json.dumps({"stage": "x" * 100_000_000}))
    began = time.process_time()
    assert shown()["progress"] is None
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("damage", [b"\xff\xfe\n", b"\0\0\0\n", b"5\n", b"[1]\n", b"null\n", b'"text"\n', b"{}\n"])
def test_a_damaged_line_costs_no_other(training: RunDir, shown: Any, damage: bytes) -> None:
    curve = training.work("finetune") / CURVE
    first, second = curve.read_bytes().splitlines(keepends=True)
    curve.write_bytes(first + damage + second)
    assert [point["step"] for point in shown()["curve"]] == [1, 2]


def test_how_long_it_is_silent_is_by_the_servers_clock(training: RunDir, shown: Any) -> None:
    """A reader's own may be wrong by minutes."""
    assert 0 <= shown()["silent_seconds"] < 60
    os.utime(training.work("finetune") / PROGRESS, times=(time.time() - 600,) * 2)
    assert 600 <= shown()["silent_seconds"] < 660
    os.utime(training.work("finetune") / PROGRESS, times=(time.time() + 600,) * 2)
    assert shown()["silent_seconds"] == 0


def test_a_task_that_trains_nothing_says_so(run: RunDir, triggered: Triggered, shown: Any) -> None:
    triggered(prepare="success")
    assert shown("prepare") == {
        "state": "success", "training": False, "progress": None, "curve": [], "metrics": None,
    }  # fmt: skip
    assert shown("notify")["training"] is False


def test_a_foreign_task_trains_nothing(home: Path, triggered: Triggered, shown: Any) -> None:
    triggered(dag_id=FOREIGN)
    assert shown("only", dag_id=FOREIGN)["training"] is False


@pytest.mark.parametrize("map_index", ["{MAP_INDEX}", "-1", "", "undefined"])
def test_an_unmapped_task_has_whatever_index_airflow_leaves(training: RunDir, shown: Any, map_index: str) -> None:
    assert shown(map_index=map_index)["progress"]["step"] == 2


@pytest.mark.parametrize("query", [{"map_index": "3"}, {"task_id": "nothing"}, {"run_id": "manual__never"}])
def test_what_is_not_there_is_404(training: RunDir, get: Any, query: dict[str, str]) -> None:
    answer = get(PROGRESS_URL, **{"dag_id": DAG_ID, "run_id": RUN_ID, "task_id": "finetune"} | query)
    assert (answer.status_code, answer.json()) == (404, {"detail": "no such task in this run"})


def test_the_address_that_airflows_page_makes_is_understood(training: RunDir, client: Any) -> None:
    """Taken from the plugin's own view, with the ids put in as they are, also without encoding."""
    from tradewind_airflow.plugin import TradewindPlugin

    view = next(view for view in TradewindPlugin.external_views if view["name"] == "Progress")
    query = view["href"].partition("?")[2].replace("{DAG_ID}", DAG_ID).replace("{TASK_ID}", "finetune")
    for run_id in (RUN_ID, RUN_ID.replace(":", "%3A").replace("+", "%2B")):
        answer = client.get(f"{PROGRESS_URL}?{query.replace('{RUN_ID}', run_id)}", headers=login("admin"))
        assert json.loads(answer.text)["progress"]["step"] == 2
