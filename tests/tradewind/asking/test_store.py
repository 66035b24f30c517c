"""The ledger and the answers: shared by processes, true after kills, never above the budget."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from tradewind.asking.store import AnswerStore, BudgetReachedError, OpenBatch, Wait
from tradewind.asking.usage import Spent, Usage
from tradewind.config import BudgetConfig
from tradewind.faults import told_to_user

MOST = Spent(Usage(1, 100, 50), 0.01)
BILLED = Spent(Usage(1, 60, 20), 0.004)
NO_BOUND = BudgetConfig()
spawn = multiprocessing.get_context("spawn")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AnswerStore]:
    store = AnswerStore(tmp_path / "answers.sqlite3")
    yield store
    store.close()


def _number(opened: int | Wait) -> int:
    assert isinstance(opened, int)
    return opened


def test_an_answer_and_its_bill_are_kept(store: AnswerStore) -> None:
    number = _number(store.open_request("run", "key", MOST, NO_BOUND))
    assert store.answer("key") is None
    store.close_request(number, BILLED, ("text", "model"))
    assert store.answer("key") == "text"
    assert store.bill("run") == BILLED
    assert store.unknown("run") == (Spent(), 0)
    assert store.bill("another run") == Spent()


def test_the_same_is_not_asked_twice_at_once(store: AnswerStore, tmp_path: Path) -> None:
    other = AnswerStore(tmp_path / "answers.sqlite3")
    number = _number(store.open_request("run", "key", MOST, NO_BOUND))
    assert other.open_request("another run", "key", MOST, NO_BOUND) is Wait.SAME
    store.close_request(number, BILLED)
    assert isinstance(other.open_request("another run", "key", MOST, NO_BOUND), int)
    other.close()


@pytest.mark.parametrize(
    ("budget", "named"),
    [
        (BudgetConfig(requests=2), "budget.requests"),
        (BudgetConfig(tokens=2 * 150 + 149), "budget.tokens"),
        (BudgetConfig(money=0.029), "budget.money"),
    ],
)
def test_a_budget_is_not_passed_even_if_every_request_costs_the_most(
    store: AnswerStore, budget: BudgetConfig, named: str
) -> None:
    numbers = [_number(store.open_request("run", f"key {n}", MOST, budget)) for n in range(2)]
    assert store.open_request("run", "key 2", MOST, budget) is Wait.BUDGET
    for number in numbers:
        store.close_request(number, MOST)
    with pytest.raises(BudgetReachedError, match=named):
        store.open_request("run", "key 2", MOST, budget)
    assert isinstance(store.open_request("another run", "key 2", MOST, budget), int)


def test_what_a_request_did_not_cost_is_free_again(store: AnswerStore) -> None:
    budget = BudgetConfig(tokens=300)
    first = _number(store.open_request("run", "a", MOST, budget))
    store.close_request(first, BILLED)
    assert isinstance(store.open_request("run", "b", MOST, budget), int)


def test_a_request_without_a_bill_counts_as_the_most_it_can_have_cost(store: AnswerStore) -> None:
    budget = BudgetConfig(tokens=299)
    store.close_request(_number(store.open_request("run", "a", MOST, budget)), None)
    assert store.bill("run") == Spent()
    assert store.unknown("run") == (MOST, 1)
    with pytest.raises(BudgetReachedError):
        store.open_request("run", "a", MOST, budget)


def _open_and_wait(path: Path, opened: Event) -> None:
    store = AnswerStore(path)
    store.open_request("run", "key", MOST, NO_BOUND)
    opened.set()
    signal.pause()


def test_a_killed_process_frees_its_key_at_once_and_its_cost_stays_entered(store: AnswerStore, tmp_path: Path) -> None:
    opened = spawn.Event()
    process = spawn.Process(target=_open_and_wait, args=(tmp_path / "answers.sqlite3", opened))
    process.start()
    assert opened.wait(60)
    assert store.open_request("run", "key", MOST, NO_BOUND) is Wait.SAME
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join(60)
    assert isinstance(store.open_request("run", "key", MOST, NO_BOUND), int)
    assert store.unknown("run")[1] == 2
    assert len(list(tmp_path.glob(".session-*"))) == 1


def test_a_store_that_is_closed_leaves_nothing_under_way(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite3"
    first = AnswerStore(path)
    first.open_request("run", "key", MOST, NO_BOUND)
    first.close()
    second = AnswerStore(path)
    assert isinstance(second.open_request("run", "key", MOST, NO_BOUND), int)
    second.close()
    assert not list(tmp_path.glob(".session-*"))


def test_a_batch_is_taken_over_only_from_a_process_that_is_gone(store: AnswerStore, tmp_path: Path) -> None:
    first, third = (AnswerStore(tmp_path / "answers.sqlite3") for _ in range(2))
    first.open_batch("batch", "run", {"key": MOST}, NO_BOUND)
    first.name_batch("batch", "batch_1")
    assert store.batches(["key"]) == [OpenBatch("batch", "batch_1", is_orphan=False)]
    assert not store.claim_batch("batch")
    first.close()
    assert store.open_request("another run", "key", MOST, NO_BOUND) is Wait.SAME
    assert store.batches(["key"]) == store.batches([], "run") == [OpenBatch("batch", "batch_1", is_orphan=True)]
    assert store.batches(["another key"], "another run") == []
    assert store.claim_batch("batch")
    assert not third.claim_batch("batch")
    third.close()


@pytest.mark.parametrize(("charged", "unknown"), [(False, (Spent(), 0)), (True, (MOST, 1))])
def test_what_a_closed_batch_leaves_is_free_or_of_unknown_cost(
    store: AnswerStore, charged: bool, unknown: tuple[Spent, int]
) -> None:
    entered, _ = store.open_batch("batch", "run", {"a": MOST, "b": MOST}, NO_BOUND)
    store.close_request(entered["a"], BILLED, ("text", "model"))
    store.close_batch("batch", charged=charged)
    assert store.bill("run") == BILLED
    assert store.unknown("run") == unknown
    assert store.batches(["a", "b"], "run") == []
    assert isinstance(store.open_request("run", "b", MOST, NO_BOUND), int)


def _spend(path: Path, go: Event, budget: BudgetConfig) -> None:
    store = AnswerStore(path)
    go.wait(60)
    asked = 0
    while True:
        try:
            opened = store.open_request("run", f"{os.getpid()} {asked}", MOST, budget)
        except BudgetReachedError:
            break
        if isinstance(opened, int):
            store.close_request(opened, MOST, ("text", "model"))
            asked += 1
    store.close()


def test_processes_that_spend_at_once_keep_to_one_budget(store: AnswerStore, tmp_path: Path) -> None:
    budget, go = BudgetConfig(requests=40), spawn.Event()
    processes = [spawn.Process(target=_spend, args=(tmp_path / "answers.sqlite3", go, budget)) for _ in range(3)]
    for process in processes:
        process.start()
    go.set()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert store.bill("run").usage.requests == 40


def test_a_file_that_is_no_store_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "answers.sqlite3").write_text("notes " * 500)
    monkeypatch.setenv("TRADEWIND_ANSWERS", str(tmp_path))
    with pytest.raises(sqlite3.DatabaseError) as raised:
        AnswerStore(tmp_path / "answers.sqlite3")
    assert re.search(r"answers\.sqlite3: .*; move the file away", str(told_to_user(raised.value)))


def test_an_answer_may_hold_half_of_a_character(store: AnswerStore) -> None:
    number = _number(store.open_request("run", "key", MOST, NO_BOUND))
    store.close_request(number, BILLED, ("cut \ud83d off", "model"))
    assert store.answer("key") == "cut \ud83d off"
