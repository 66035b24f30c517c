"""A task's container by name and label: one name for all tries, another for every other task, run and Airflow."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

import tradewind
from tradewind_airflow.containers.identity import Identity, label
from tradewind_airflow.gpus import Gpu

RUN = "/home/runs/trade_qa/manual__1-0a1b2c3d"


def _context(dag_run: dict[str, Any] | None = None, **changes: Any) -> Any:
    stated: dict[str, Any] = {
        "dag_id": "trade_qa", "run_id": "manual__1", "task_id": "prepare", "try_number": 1, "map_index": -1,
        "id": "0199-uuid",
    }  # fmt: skip
    context: dict[str, Any] = {"ti": SimpleNamespace(**stated | changes)}
    return context if dag_run is None else context | {"dag_run": SimpleNamespace(**dag_run)}


@pytest.mark.parametrize(
    ("context", "identity"),
    [
        (_context(), Identity("trade_qa/manual__1", "prepare/1", 0, "0199-uuid")),
        (_context({"clear_number": 2}, try_number=3), Identity("trade_qa/manual__1", "prepare/3", 2, "0199-uuid")),
        (_context({"clear_number": None}), Identity("trade_qa/manual__1", "prepare/1", 0, "0199-uuid")),
        (_context({}, map_index=0), Identity("trade_qa/manual__1", "prepare[0]/1", 0, "0199-uuid")),
        (_context(map_index=None, task_id="group.train"),
         Identity("trade_qa/manual__1", "group.train/1", 0, "0199-uuid")),
        (_context({"clear_number": 0}, try_number=2, max_tries=1, task=SimpleNamespace(retries=1)),
         Identity("trade_qa/manual__1", "prepare/2", 0, "0199-uuid")),
        (_context({"clear_number": 0}, try_number=2, max_tries=2, task=SimpleNamespace(retries=1)),
         Identity("trade_qa/manual__1", "prepare/2", 1, "0199-uuid")),  # cleared with `reset_dag_runs: false`
    ],
)  # fmt: skip
def test_it_is_read_from_the_tasks_context(context: Any, identity: Identity) -> None:
    assert Identity.of(context) == identity


def test_a_context_without_an_id_still_tells_tries_and_tasks_apart() -> None:
    owners = set()
    for changes in ({}, {"try_number": 2}, {"task_id": "adapt"}, {"run_id": "manual__2"}, {"map_index": 0}):
        context = _context(**changes)
        del context["ti"].id
        owners.add(Identity.of(context).owner)
    assert len(owners) == 5


@pytest.mark.parametrize(("task_id", "task"), [("prepare/1", "prepare"), ("group.train[12]/3", "group.train[12]")])
def test_the_task_is_what_its_tries_share(task_id: str, task: str) -> None:
    assert Identity("d/r", task_id, 0, "").task == task


def test_the_stage_learns_run_and_try() -> None:
    variables = {"TRADEWIND_JOB_ID": "trade_qa/manual__1", "TRADEWIND_TASK_ID": "prepare/1"}
    assert Identity.of(_context()).environment() == variables


def test_tries_share_a_name_and_other_tasks_runs_and_homes_do_not() -> None:
    name = Identity.of(_context()).container_name(RUN)
    assert re.fullmatch(r"tradewind-trade_qa-prepare-[0-9a-f]{12}", name)
    assert Identity.of(_context({"clear_number": 1}, try_number=2, id="other")).container_name(RUN) == name
    others = [
        Identity.of(_context()).container_name(f"{RUN}0"),
        Identity.of(_context(task_id="adapt")).container_name(RUN),
        Identity.of(_context(map_index=0)).container_name(RUN),
        Identity.of(_context(map_index=1)).container_name(RUN),
    ]
    assert len({name, *others}) == 5


@pytest.mark.parametrize("task_id", ["훈련", "group.train", "a b/c", "x" * 250, "-rf", "..", "A_b-C.1"])
def test_any_task_has_a_name_that_the_engine_accepts(task_id: str) -> None:
    name = Identity.of(_context(dag_id="무역 qa", task_id=task_id)).container_name(RUN)
    assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", name)  # the engine's own rule
    assert len(name) <= 83


@pytest.mark.parametrize(
    ("gpus", "told"), [((), ""), ((Gpu("0"), Gpu("3")), "0,3"), ((Gpu("renderD128", "amd"),), "renderD128")]
)
def test_the_container_says_what_it_is(gpus: tuple[Gpu, ...], told: str) -> None:
    assert Identity.of(_context({"clear_number": 2}, map_index=1)).labels(gpus) == {
        "tradewind.job": "trade_qa/manual__1",
        "tradewind.task": "prepare[1]/1",
        "tradewind.generation": "2",
        "tradewind.gpus": told,
        "tradewind.version": tradewind.__version__,
    }


@pytest.mark.parametrize(
    ("labels", "value"), [({"tradewind.task": "prepare/1"}, "prepare/1"), ({"other": "x"}, ""), ({}, ""), (None, "")]
)
def test_a_label_that_is_not_there_is_empty(labels: dict[str, str] | None, value: str) -> None:
    assert label({"Config": {"Labels": labels}}, "tradewind.task") == value
    assert label({"Config": {}}, "tradewind.task") == ""
