"""Who may see what: Airflow's own permissions, asked at every request.

No route of ours changes anything, so a page of another site has nothing to post to: every method but GET is answered
with 405. What our pages change (a task's state) goes through Airflow's REST API. That a foreign page cannot do the
same with a visitor's login was read in Airflow 3.3.2: its login cookie `_token` is `SameSite=Lax` and `HttpOnly`
(`auth/managers/simple/routes/login.py`, `auth/middlewares/refresh_token.py`; of FAB's, `www/views.py`), so a browser
sends it along with no PATCH from another site; and PATCH needs a CORS preflight, which Airflow answers with permission
only for the origins of `[api] access_control_allow_origins`, none by default (`core_api/app.py`; `*` is refused at
start).
"""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_dag
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request

LOGIN = Depends(get_user)
"""401 without one; every route has it, whatever else it asks for."""
RUNS = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
"""403 for who may not read the runs of the request's `dag_id`."""
TASKS = Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE))
"""403 for who may not read the tasks of the request's `dag_id`."""
_NONE_READABLE = "you may read the runs of no DAG; ask for access to one"


def has_no_nul(request: Request) -> None:
    """404 where a parameter holds a NUL: Postgres raises at it, in Airflow's own look for the DAG."""
    if any("\0" in value for value in request.query_params.values()):
        raise HTTPException(404, "no such DAG or run")


def may_read_runs(user: Any, dag_id: str) -> bool:
    """Whether the user may read the runs of a DAG."""
    return _may("GET", DagAccessEntity.RUN, user, dag_id)


def may_edit_tasks(user: Any, dag_id: str) -> bool:
    """Whether the user may change the state of a DAG's tasks: what Airflow's REST API asks for."""
    return _may("PUT", DagAccessEntity.TASK_INSTANCE, user, dag_id)


def reads_any_runs(user: GetUserDep) -> None:
    """403 for who may read the runs of no DAG at all."""
    manager = get_auth_manager()
    reads_all = all(
        manager.is_authorized_dag(method="GET", access_entity=entity, user=user)
        for entity in (None, DagAccessEntity.RUN)
    )
    if not reads_all and not any(may_read_runs(user, dag_id) for dag_id in manager.get_authorized_dag_ids(user=user)):
        raise HTTPException(403, _NONE_READABLE)


def reads_what_it_shows(request: Request, user: GetUserDep) -> None:
    """Of a page: 403 as its data would give, so that who may see nothing is told so in place of an empty page."""
    if "dag_id" not in request.query_params:
        reads_any_runs(user)
        return
    is_of_task = "task_id" in request.query_params
    requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE if is_of_task else DagAccessEntity.RUN)(request, user)


def _may(method: Any, entity: DagAccessEntity, user: Any, dag_id: str) -> bool:
    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    return bool(get_auth_manager().is_authorized_dag(method=method, access_entity=entity, details=details, user=user))
