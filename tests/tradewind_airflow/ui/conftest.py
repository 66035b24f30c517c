"""Airflow's own application with the pages in it, a database with three DAGs, and users with different rights."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_pages import DAG_ID, RUN_ID, login, set_state
from finished_run import finished_run
from tradewind.run_dir import RunDir, run_path

_FOREIGN_DAG = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
with DAG("foreign"):
    EmptyOperator(task_id="only")
    EmptyOperator(task_id="prepare")  # a name that others give a task, too
"""


_TRIALS_DAG = """
from airflow.sdk import DAG
from tradewind_airflow.operators.sweep import GemmaTrialOperator
with DAG("trials"):
    GemmaTrialOperator.partial(task_id="trials", recipe="tiny", data="embedded:en", seed=1).expand_kwargs(
        [{"shard": f"{number}/2", "settings": f"lora.r={number}"} for number in (1, 2)]
    )
"""


@pytest.fixture(scope="session")
def client(airflow_database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of the application, not logged in."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AIRFLOW__CORE__AUTH_MANAGER", "page_rights.RightsByUser")
        from airflow.api_fastapi.app import create_app, purge_cached_app
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
        from starlette.testclient import TestClient

        folder = tmp_path_factory.mktemp("dags")
        shutil.copy(Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / "trade_qa.py", folder)
        (folder / "foreign.py").write_text(_FOREIGN_DAG)
        (folder / "trials.py").write_text(_TRIALS_DAG)
        DagBundlesManager().sync_bundles_to_db()
        bag = DagBag(str(folder))
        assert bag.import_errors == {}
        sync_bag_to_db(bag, "dags-folder", None)
        purge_cached_app()
        yield TestClient(create_app(apps="core"))
        purge_cached_app()


@pytest.fixture
def get(client: Any) -> Callable[..., Any]:
    """GET as a user; `user=None` has no login. Keyword arguments are the query."""

    def ask(address: str, /, *, user: str | None = "admin", headers: dict[str, str] | None = None, **query: Any) -> Any:
        return client.get(address, params=query, headers=login(user) | (headers or {}))

    return ask


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's runs and models are."""
    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> RunDir:
    """A finished run, as stages leave it."""
    return finished_run(run_path(home, DAG_ID, RUN_ID))


@pytest.fixture
def triggered(client: Any) -> Iterator[Callable[..., str]]:
    """Trigger a run through Airflow's API and put its tasks into these states; gives its id. All go at the end."""
    made: list[str] = []
    admin = login("admin")

    def trigger(run_id: str = RUN_ID, *, dag_id: str = DAG_ID, **states: str) -> str:
        place = f"/api/v2/dags/{dag_id}/dagRuns"
        answer = client.post(place, json={"dag_run_id": run_id, "logical_date": None}, headers=admin)
        assert answer.status_code == 200, answer.text
        made.append(f"{place}/{run_id}")
        for task_id, state in states.items():
            set_state(dag_id, run_id, task_id, state)
        return run_id

    yield trigger
    for place in made:
        client.delete(place, headers=admin)
