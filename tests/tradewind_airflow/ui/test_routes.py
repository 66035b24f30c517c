"""Every route is behind Airflow's permissions, changes nothing, and tells the browser to be careful."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from airflow_pages import DAG_ID, FOREIGN, RUN_ID, login
from tradewind.run_dir import RunDir

VALUES = {
    "dag_id": DAG_ID, "run_id": RUN_ID, "task_id": "finetune", "path": "prepare/train.jsonl",
    "first": "a-run", "second": "another", "page": "models", "name": "style.css",
}  # fmt: skip
"""What the routes' parameters get here; one with a name that is not in it is a new one, to be thought of."""
OF_NO_DAG = {"/pages/{page}", "/static/{name:path}", "/api/pipelines"}
OF_TASKS = {"/api/run", "/api/progress"}
"""What shows task instances."""


def _app() -> FastAPI:
    from tradewind_airflow.ui.app import create_app

    return create_app()


@pytest.fixture(scope="module")
def routes(client: Any) -> list[APIRoute]:
    """All that the application answers to; whatever is no plain route, such as a mounted folder, has no guard."""
    found = _app().routes
    assert all(isinstance(route, APIRoute) for route in found), found
    return [route for route in found if isinstance(route, APIRoute)]


def _address(route: APIRoute) -> tuple[str, dict[str, str]]:
    takes = route.dependant  # codespell:ignore dependant
    needed = [field.name for field in takes.query_params if field.field_info.is_required()]
    path = route.path
    for field in takes.path_params:
        for place in (f"{{{field.name}}}", f"{{{field.name}:path}}"):
            path = path.replace(place, VALUES[field.name])
    return f"/tradewind{path}", {name: VALUES[name] for name in needed}


def _statuses(client: Any, routes: list[APIRoute], user: str | None) -> dict[str, int]:
    found = {}
    for route in routes:
        path, query = _address(route)
        found[route.path] = client.get(path, params=query, headers=login(user)).status_code
    return found


def test_there_are_routes(routes: list[APIRoute]) -> None:
    assert {route.path for route in routes} >= OF_NO_DAG | OF_TASKS | {"/api/models", "/api/report", "/api/files"}


def test_without_a_login_every_route_is_401(client: Any, routes: list[APIRoute], run: RunDir) -> None:
    assert set(_statuses(client, routes, None).values()) == {401}


def test_who_may_read_nothing_gets_403_of_every_route(client: Any, routes: list[APIRoute], run: RunDir) -> None:
    assert set(_statuses(client, routes, "stranger").values()) == {403}


def test_who_may_read_another_dag_gets_403_of_this_one(client: Any, routes: list[APIRoute], run: RunDir) -> None:
    found = _statuses(client, routes, "neighbour")
    assert {path for path, status in found.items() if status != 403} == OF_NO_DAG


def test_who_may_not_read_runs_gets_403(client: Any, routes: list[APIRoute], run: RunDir) -> None:
    found = _statuses(client, routes, "without_runs")
    assert set(found.values()) == {403}


def test_who_may_not_read_tasks_gets_403_of_what_shows_them(client: Any, routes: list[APIRoute], run: RunDir) -> None:
    found = _statuses(client, routes, "without_tasks")
    assert {path for path, status in found.items() if status == 403} == OF_TASKS


def test_who_may_read_it_gets_an_answer(client: Any, routes: list[APIRoute], run: RunDir) -> None:
    found = _statuses(client, routes, "reader")
    assert not {401, 403, 405, 422, 500} & set(found.values()), found


@pytest.mark.parametrize("user", ["admin", "stranger", None])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed(
    client: Any, routes: list[APIRoute], run: RunDir, method: str, user: str | None
) -> None:
    before = sorted(path.as_posix() for path in run.path.rglob("*"))
    for route in routes:
        path, query = _address(route)
        answer = client.request(method, path, params=query, json={}, headers=login(user))
        assert answer.status_code == 405, (method, route.path)
    assert sorted(path.as_posix() for path in run.path.rglob("*")) == before


def test_a_route_without_a_guard_is_noticed(client: Any) -> None:
    """So that the tests above are known to see one."""
    from starlette.testclient import TestClient

    app, careless = _app(), APIRouter()

    @careless.get("/api/careless")
    def answer() -> dict[str, str]:
        return {}

    app.include_router(careless)
    new = next(route for route in app.routes if isinstance(route, APIRoute) and route.path == "/api/careless")
    prefixed = FastAPI()
    prefixed.mount("/tradewind", app)
    assert _statuses(TestClient(prefixed), [new], None) == {"/api/careless": 401}  # by the application's own guard
    assert _statuses(TestClient(prefixed), [new], "stranger") == {"/api/careless": 200}


def test_every_answer_tells_the_browser_to_be_careful(client: Any, routes: list[APIRoute], run: RunDir) -> None:
    for user in ("admin", None):
        for route in routes:
            path, query = _address(route)
            headers = client.get(path, params=query, headers=login(user)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "SAMEORIGIN"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "frame-ancestors 'self'" in headers["content-security-policy"]
            assert "access-control-allow-origin" not in headers


def test_a_page_of_another_site_is_not_let_in(client: Any, run: RunDir) -> None:
    """Neither to us, nor to Airflow's route that skips a task: the preflight that a browser sends first is refused."""
    for path in (
        f"/tradewind/api/models?dag_id={DAG_ID}",
        f"/api/v2/dags/{DAG_ID}/dagRuns/{RUN_ID}/taskInstances/report",
    ):
        asks = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "PATCH"}
        answer = client.options(path, headers=asks)
        assert answer.status_code == 405
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_login_cookie_does_not_travel_from_other_sites(client: Any) -> None:
    """What skipping by Airflow's API rests on; looked up in the Airflow that is installed."""
    from starlette.testclient import TestClient

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")
        # A browser of its own: the others must not get its cookie.
        answer = TestClient(client.app).get("/auth/token/login", follow_redirects=False)
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("_token=")
    assert "samesite=lax" in cookie
    assert "httponly" in cookie


@pytest.mark.parametrize("dag_id", ["..", ".", "~", "../runs", "a/b", "", "x" * 300, "a\0b"])
def test_what_is_no_dag_id_names_no_folder(get: Any, run: RunDir, dag_id: str) -> None:
    answer = get("/tradewind/api/models", dag_id=dag_id)
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("no such DAG")


def test_of_two_dag_ids_the_guarded_one_is_the_one_shown(client: Any, run: RunDir) -> None:
    for query, status in ((f"dag_id={DAG_ID}&dag_id={FOREIGN}", 200), (f"dag_id={FOREIGN}&dag_id={DAG_ID}", 403)):
        answer = client.get(f"/tradewind/api/models?{query}", headers=login("neighbour"))
        assert answer.status_code == status
        assert status == 403 or answer.json()["dag_id"] == FOREIGN


def test_a_missing_parameter_is_one_line(get: Any) -> None:
    answer = get("/tradewind/api/report", dag_id=DAG_ID)
    assert (answer.status_code, answer.json()) == (422, {"detail": "run_id: Field required"})
