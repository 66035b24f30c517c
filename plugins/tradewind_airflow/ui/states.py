"""What Airflow's database knows of runs and tasks: the only module here that reads its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select

from tradewind.stages import STAGES
from tradewind_airflow.ui.places import spellings

_BY_OPERATOR = {
    "ChooseTrialOperator": "finetune",
    "GemmaAdaptOperator": "adapt",
    "GemmaBaselineOperator": "baseline",
    "GemmaEvaluateOperator": "evaluate",
    "GemmaFinetuneOperator": "finetune",
    "GemmaTrialOperator": "finetune",
    "QAConversionOperator": "prepare",
    "RayAdaptOperator": "adapt",
    "RayBaselineOperator": "baseline",
    "RayEvaluateOperator": "evaluate",
    "RayFinetuneOperator": "finetune",
    "RegisterModelOperator": "register",
    "ReportOperator": "report",
}
STEPS = (*STAGES, "register")
_UNFINISHED = ("up_for_retry", "up_for_reschedule", "running", "restarting", "deferred", "awaiting_input", "queued",
               "scheduled", None)  # fmt: skip
_TELLING = ("failed", "upstream_failed", *_UNFINISHED, "success", "skipped", "removed")
"""As Airflow's grid chooses the one state that it shows of several tasks."""


@dataclass(frozen=True)
class RunState:
    """A row of Airflow's table of runs."""

    run_id: str
    state: str


@dataclass(frozen=True)
class TaskState:
    """A row of its table of tasks."""

    task_id: str
    map_index: int
    operator: str
    state: str | None
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def step(self) -> str | None:
        """The stage that the task runs, or `register`; None for any other task."""
        last = self.task_id.rpartition(".")[2]  # of a task in a group
        return last if last in STEPS else _BY_OPERATOR.get(self.operator)

    @property
    def is_ours(self) -> bool:
        """Whether an operator of ours runs it; the name alone may be anybody's."""
        return self.operator in _BY_OPERATOR


def run_ids(dag_id: str) -> list[str]:
    """All runs of a DAG that Airflow remembers."""
    with create_session(scoped=False) as session:
        return list(session.scalars(select(DagRun.run_id).where(DagRun.dag_id == dag_id)))


def run_state(dag_id: str, run_id: str) -> RunState | None:
    """The run under this id, or under what it was before its `+` became a space; None where there is none."""
    with create_session(scoped=False) as session:
        query = select(DagRun.run_id, DagRun.state).where(DagRun.dag_id == dag_id)
        for spelling in spellings(run_id):
            row = session.execute(query.where(DagRun.run_id == spelling)).first()
            if row is not None:
                return RunState(row.run_id, str(row.state))
    return None


def task_states(dag_id: str, run_id: str, task_id: str | None = None) -> list[TaskState]:
    """The tasks of a run, in no order; only those of `task_id` where it is given."""
    columns = (TaskInstance.task_id, TaskInstance.map_index, TaskInstance.operator, TaskInstance.state,
               TaskInstance.start_date, TaskInstance.end_date)  # fmt: skip
    query = select(*columns).where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
    if task_id is not None:
        query = query.where(TaskInstance.task_id == task_id)
    with create_session(scoped=False) as session:
        return [
            TaskState(row.task_id, row.map_index, row.operator or "", row.state and str(row.state), *row[4:])
            for row in session.execute(query)
        ]


def state_of_all(tasks: Sequence[TaskState]) -> str | None:
    """One state for all parts of a mapped task."""
    states = {task.state for task in tasks}
    return next((state for state in _TELLING if state in states), None)


def is_finished(state: str | None) -> bool:
    """Whether a task in this state comes to no other by itself."""
    return state not in _UNFINISHED


def seconds_of_all(tasks: Sequence[TaskState]) -> float | None:
    """From the first start to the last end, or to now while one of them runs."""
    started = [task.started_at for task in tasks if task.started_at]
    if not started:
        return None
    ended = [task.ended_at for task in tasks if task.ended_at]
    last = max(ended) if len(ended) == len(tasks) else datetime.now(UTC)
    return round(max((last - min(started)).total_seconds(), 0.0), 1)
