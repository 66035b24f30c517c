"""A container is left only to a retry that will come."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tradewind_airflow.containers.retry import retry_follows


def _ti(answer: Any, *, try_number: int = 1, max_tries: int = 1) -> SimpleNamespace:
    """A task instance whose supervisor gives this answer, or raises it."""

    def get_task_states(**asked: Any) -> Any:
        assert asked == {"dag_id": "d", "task_ids": ["finetune"], "run_ids": ["r"], "map_index": -1}
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SimpleNamespace(
        dag_id="d", run_id="r", task_id="finetune", map_index=-1, try_number=try_number, max_tries=max_tries,
        get_task_states=get_task_states,
    )  # fmt: skip


@pytest.mark.parametrize("state", ["running", "up_for_retry", None, "scheduled", "queued"])
def test_the_worker_ends_and_the_task_goes_on(state: str | None) -> None:
    assert retry_follows(_ti({"r": {"finetune": state}}))


@pytest.mark.parametrize("state", ["restarting", "failed", "skipped", "success", "removed"])
def test_the_task_was_cleared_or_marked(state: str) -> None:
    assert not retry_follows(_ti({"r": {"finetune": state}}))


@pytest.mark.parametrize("answer", [{}, {"another": {"finetune": "running"}}, {"r": {}}])
def test_a_task_that_airflow_does_not_know_is_over(answer: dict[str, Any]) -> None:
    assert not retry_follows(_ti(answer))


@pytest.mark.parametrize("fault", [ConnectionError("gone"), EOFError(), BrokenPipeError()])
def test_a_supervisor_that_does_not_answer_was_lost(fault: Exception) -> None:
    assert retry_follows(_ti(fault))


@pytest.mark.parametrize(("try_number", "max_tries"), [(2, 1), (1, 0), (3, 2)])
def test_after_the_last_try_nobody_would_follow(try_number: int, max_tries: int) -> None:
    assert not retry_follows(_ti({"r": {"finetune": "running"}}, try_number=try_number, max_tries=max_tries))


def test_outside_of_airflow_there_is_no_retry() -> None:
    assert not retry_follows(SimpleNamespace(dag_id="d", run_id="r", task_id="t", try_number=1))
