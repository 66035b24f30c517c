"""Logins and states for the tests of Tradewind's pages in Airflow."""

from __future__ import annotations

DAG_ID, FOREIGN = "trade_qa", "foreign"
RUN_ID = "manual__2026-11-20T02:00:00+00:00"


def login(user: str | None) -> dict[str, str]:
    """The header that Airflow's login gives."""
    if user is None:
        return {}
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=user, role="USER"))
    return {"Authorization": f"Bearer {token}"}


def set_state(dag_id: str, run_id: str, task_id: str, state: str) -> None:
    """As the scheduler would: Airflow's API lets a user set final states only."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(
            update(TaskInstance)
            .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id, TaskInstance.task_id == task_id)
            .values(state=state)
        )
