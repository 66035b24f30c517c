"""A DAG as Airflow's scheduler sees it: its own decisions over scripted ends of tasks, none of which is executed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from airflow.sdk import DAG

OUTCOMES = Mapping[str, str]
"""By `task_id`, or `task_id[map index]`: the state that the task ends in; those not named succeed."""


class ScheduledRun:
    """One run of a DAG in Airflow's database."""

    def __init__(self, dag: DAG, run_id: str, *, mapped: Mapping[str, int] | None = None) -> None:
        """Plan it.

        Args:
            mapped: by the task whose XCom is mapped over, the length of that.
        """
        import pendulum
        from airflow.utils.session import create_session
        from airflow.utils.types import DagRunTriggeredByType, DagRunType

        self.mapped = dict(mapped or {})
        self.run_id = run_id
        self.dag_id = dag.dag_id
        self.dag = _as_scheduled(dag)
        now = pendulum.now("UTC")
        with create_session() as session:
            self.dag.create_dagrun(
                run_id=run_id, run_after=now, run_type=DagRunType.MANUAL, state="running", start_date=now,
                logical_date=now, data_interval=(now, now), triggered_by=DagRunTriggeredByType.TEST, session=session,
            )  # fmt: skip

    def go_on(self, outcomes: OUTCOMES) -> str:
        """Let the scheduler decide until nothing more is to be started; returns the run's state."""
        from airflow.models.taskmap import TaskMap
        from airflow.utils.session import create_session

        before: dict[str, str | None] | None = None
        while (now := self.states()) != before:
            before = now
            with create_session() as session:
                run = self._run(session)
                if run.state == "queued":  # one that was cleared
                    run.state = "running"
                if run.state != "running":
                    break
                for ti in run.update_state(session=session, execute_callbacks=False)[0]:
                    name = ti.task_id + (f"[{ti.map_index}]" if ti.map_index >= 0 else "")
                    ti.state = outcomes.get(name, outcomes.get(ti.task_id, "success"))
                    if ti.task_id in self.mapped and ti.state == "success":
                        length = self.mapped[ti.task_id]
                        session.merge(TaskMap(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, length, None))
        with create_session() as session:
            return str(self._run(session).state)

    def mark_failed(self) -> None:
        """As the page's button does for a run."""
        from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
        from airflow.utils.session import create_session

        with create_session() as session:
            set_dag_run_state_to_failed(dag=self.dag, run_id=self.run_id, commit=True, session=session)

    def clear(self, *task_ids: str) -> None:
        """With everything downstream, as the page offers it."""
        from airflow.utils.session import create_session

        with create_session() as session:
            part = self.dag.partial_subset(task_ids=set(task_ids), include_downstream=True, include_upstream=False)
            part.clear(run_id=self.run_id, session=session)

    def states(self) -> dict[str, str | None]:
        """By task, of a mapped one by instance."""
        from airflow.utils.session import create_session

        with create_session() as session:
            return {
                ti.task_id + (f"[{ti.map_index}]" if ti.map_index >= 0 else ""): ti.state
                for ti in self._run(session).get_task_instances(session=session)
            }

    def _run(self, session: Any) -> Any:
        from airflow.models.dagrun import DagRun

        run = DagRun.find(dag_id=self.dag_id, run_id=self.run_id, session=session)[0]
        run.dag = self.dag
        return run


@cache
def _as_scheduled(dag: DAG) -> Any:
    """What the DAG processor writes to the database, and the scheduler reads there."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.definitions.dag import SerializedDAG
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    with create_session() as session:
        DagBundlesManager().sync_bundles_to_db(session=session)  # type: ignore[no-untyped-call]
    lazy = LazyDeserializedDAG.from_dag(dag)
    with create_session() as session:
        SerializedDAG.bulk_write_to_db("dags-folder", None, [lazy], session=session)
        SerializedDagModel.write_dag(lazy, bundle_name="dags-folder", session=session)
    with create_session() as session:
        return SerializedDagModel.get_dag(dag.dag_id, session=session)
