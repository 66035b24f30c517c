"""The pages are files of the package that only a login opens, and tell the browser to load nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_pages import DAG_ID
from tradewind_airflow.plugin import TradewindPlugin


@pytest.fixture
def files(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page and a script, whatever else the package brings."""
    from tradewind_airflow.ui import pages

    for name in ("models.html", "progress.html", "models.js"):
        (tmp_path / name).write_text(name)
        monkeypatch.setitem(pages._FILES, name, tmp_path / name)


def test_a_page_runs_only_our_own_files(files: None, get: Any) -> None:
    answer = get("/tradewind/pages/models")
    assert (answer.status_code, answer.text) == (200, "models.html")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy


def test_a_script_is_a_script_and_asked_for_again_when_it_changes(files: None, get: Any) -> None:
    answer = get("/tradewind/static/models.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["etag"]


@pytest.mark.parametrize("name", ["../pages.py", "..%2fpages.py", "%2e%2e/pages.py", "", "no.js", "/etc/passwd"])
def test_static_is_what_the_package_has_there_and_nothing_else(files: None, get: Any, name: str) -> None:
    assert get(f"/tradewind/static/{name}").status_code == 404


def test_there_are_four_pages(files: None, get: Any) -> None:
    answer = get("/tradewind/pages/other")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("page: ")


@pytest.mark.parametrize(
    ("user", "query", "status"),
    [
        ("reader", {"dag_id": DAG_ID, "task_id": "finetune"}, 200),
        ("without_tasks", {"dag_id": DAG_ID, "task_id": "finetune"}, 403),
        ("without_tasks", {"dag_id": DAG_ID}, 200),
        ("neighbour", {"dag_id": DAG_ID}, 403),
        ("neighbour", {}, 200),
        ("stranger", {}, 403),
        (None, {}, 401),
    ],
)
def test_a_tab_opens_for_who_may_see_what_it_shows(
    files: None, get: Any, user: str | None, query: dict[str, str], status: int
) -> None:
    assert get("/tradewind/pages/progress", user=user, **query).status_code == status


def test_airflow_lists_the_pages_where_they_belong(get: Any) -> None:
    plugins = get("/api/v2/plugins").json()["plugins"]
    views = next(plugin for plugin in plugins if plugin["name"] == "tradewind")["external_views"]
    assert {view["name"]: view["destination"] for view in views} == {
        "Models": "nav", "Report": "dag_run", "Files": "dag_run", "Progress": "task_instance",
    }  # fmt: skip
    for view in views:
        assert urlsplit(view["href"]).path == f"/tradewind/pages/{view['name'].lower()}"
    given = {view["name"]: parse_qs(urlsplit(view["href"]).query) for view in views}
    assert given["Files"] == {"dag_id": ["{DAG_ID}"], "run_id": ["{RUN_ID}"]}
    assert given["Progress"] == given["Files"] | {"task_id": ["{TASK_ID}"], "map_index": ["{MAP_INDEX}"]}


def test_the_application_is_made_in_the_api_server_only(python: Any) -> None:
    """Every component loads plugins: a scheduler needs neither FastAPI nor Airflow's security."""
    code = """
import sys
import airflow.plugins_manager
before = set(sys.modules)
import tradewind_airflow.plugin
print(sorted({name.split(".")[0] for name in set(sys.modules) - before}))
server = ("tradewind_airflow.ui", "airflow.api_fastapi.core_api.security", "airflow.api_fastapi.core_api.app")
print([name for name in sys.modules if name.startswith(server)])
"""
    lines = python(code).stdout.splitlines()
    assert lines[-1] == "[]"
    assert "fastapi" not in lines[-2]
    assert isinstance(vars(TradewindPlugin)["fastapi_apps"], property)


def test_below_a_path_of_airflows_the_pages_are_below_it_too(python: Any) -> None:
    code = "from tradewind_airflow.plugin import TradewindPlugin as P; print(P.external_views[0]['href'])"
    done = python(code, AIRFLOW__API__BASE_URL="https://example.org/airflow")
    assert done.stdout.splitlines()[-1] == "/airflow/tradewind/pages/models"
