"""An auth manager of Airflow's kind whose users may read different DAGs; the tests' pages are behind it."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

RUN, TASK = DagAccessEntity.RUN, DagAccessEntity.TASK_INSTANCE
READS: dict[str, tuple[str, frozenset[DagAccessEntity | None]]] = {
    "reader": ("trade_qa", frozenset({None, RUN, TASK})),
    "without_tasks": ("trade_qa", frozenset({None, RUN})),
    "without_runs": ("trade_qa", frozenset({None})),
    "neighbour": ("foreign", frozenset({None, RUN, TASK})),
}
"""By user: the one DAG that may be read, and what of it. `admin` may do all, anybody else nothing."""


class RightsByUser(SimpleAuthManager):
    """Airflow's simple one, which knows roles only, with these rights in their place."""

    def is_authorized_dag(
        self,
        *,
        method: Any,
        user: Any,
        access_entity: DagAccessEntity | None = None,
        details: DagDetails | None = None,
    ) -> bool:
        """All for `admin`; for others reading one DAG, named in the request."""
        if user.username == "admin":
            return True
        dag_id, entities = READS.get(user.username, ("", frozenset()))
        return method == "GET" and details is not None and details.id == dag_id and access_entity in entities
