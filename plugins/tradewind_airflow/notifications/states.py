"""What became of a run's tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradewind_airflow.notifications.errors import read_error
from tradewind_airflow.notifications.links import task_link

NO_WORD = "ended without a word; killed, perhaps out of memory"
NOT_SEEN = "its log says why"
"""Where the run's folder, which holds the errors, is not seen from here."""


@dataclass(frozen=True)
class FailedTask:
    """A task that failed for good."""

    task_id: str
    map_index: int | None
    line: str
    """Its error's, or that it left none."""
    link: str | None
    """Its log."""

    @property
    def name(self) -> str:
        """With the number of a mapped one: `extract[2]`."""
        return self.task_id if self.map_index is None else f"{self.task_id}[{self.map_index}]"


def task_states(ti: Any) -> dict[str, str]:
    """The states of all tasks of the run, by Airflow's own key: `extract_2` for a mapped one."""
    found = ti.get_task_states(ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    return {key: str(state) for key, state in found.items() if state is not None}


def failed_tasks(
    states: Mapping[str, str], run_dir: Path, *, dag_id: str, run_id: str, order: Sequence[str], but: Collection[str]
) -> list[FailedTask]:
    """The failed ones with their errors, in the pipeline's order.

    Args:
        order: the DAG's task ids.
        but: those that only tell.
    """
    keys = [_split(key, order) for key, state in states.items() if state == "failed"]
    found, silent = [], NO_WORD if run_dir.is_dir() else NOT_SEEN
    for task_id, map_index in sorted(keys, key=lambda key: (_place(key[0], order), key[1] or 0)):
        if task_id in but:
            continue
        error = read_error(run_dir, task_id, map_index)
        link = task_link(dag_id, run_id, task_id, map_index, error.try_number if error else None)
        found.append(FailedTask(task_id, map_index, error.line if error else silent, link))
    return found


def returned(value: Any, state: str | None) -> Any:
    """What a task returned; None where it did not succeed this time: Airflow keeps it until the task starts again.

    Args:
        state: the task's; None where it is not known.
    """
    return value if state in (None, "success") else None


def not_run(states: Mapping[str, str], order: Sequence[str]) -> list[str]:
    """The tasks that had to wait for a failed one."""
    found = {_split(key, order)[0] for key, state in states.items() if state == "upstream_failed"}
    return sorted(found, key=lambda task_id: _place(task_id, order))


def _place(task_id: str, order: Sequence[str]) -> int:
    return order.index(task_id) if task_id in order else len(order)


def _split(key: str, order: Sequence[str]) -> tuple[str, int | None]:
    task_id, _, index = key.rpartition("_")
    return (task_id, int(index)) if key not in order and task_id in order and index.isdecimal() else (key, None)
