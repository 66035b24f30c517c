"""The site: Postgres, every part of Airflow, FAB's users, the shipped DAG and one of somebody else's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from airflow_stack import users
from airflow_stack.users import User
from documents import REPOSITORY
from stack import Stack, postgres, up
from tradewind.run_dir import run_path
from tradewind_airflow.local.home import LocalHome
from tradewind_airflow.local.run import DAG_ID, DagRun, set_paused, trigger
from tradewind_airflow.local.server import free_port
from tries import wait_for

FOREIGN_DAG = "foreign"
ENDED = ("success", "failed")
_FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
# What a developer's shell may hold and no test may use.
_FOREIGN = ("SLACK_TOKEN", "HF_TOKEN", "OPENAI_API_KEY", "DOCKER_HOST", "CUDA_VISIBLE_DEVICES")
_ROUTES = """
import json
from tradewind_airflow.plugin import TradewindPlugin

def walk(routes, prefix):
    for route in routes:
        path = prefix + getattr(route, "path", "")
        if inner := getattr(route, "routes", None):
            yield from walk(inner, path)
        else:
            yield path, sorted(getattr(route, "methods", None) or ["GET"])

print(json.dumps([found for one in TradewindPlugin().fastapi_apps
                  for found in walk(one["app"].routes, one["url_prefix"])]))
"""


@dataclass(frozen=True)
class SiteHome(LocalHome):
    """A home of its own that needs no variable, and hears none of the developer's."""

    folder: Path

    @property
    def path(self) -> Path:
        """`TRADEWIND_HOME`."""
        return self.folder

    def environment(self, port: int, page_port: int | None = None) -> dict[str, str]:
        """As for a local Airflow."""
        own = super().environment(port, page_port)
        return {name: own[name] for name in own if not name.startswith(("TRADEWIND_", *_FOREIGN))} | {
            "TRADEWIND_HOME": str(self.path),
            "TRADEWIND_TASK_GPUS": "0",
            "TRADEWIND_SCHEDULE": "none",  # runs are the tests' own, whatever the time of day
        }


@dataclass(frozen=True)
class Site:
    """A running Airflow and who may log in."""

    stack: Stack
    users: dict[str, User]

    @property
    def url(self) -> str:
        """Where its page is."""
        return self.stack.server.url

    @property
    def home(self) -> Path:
        """`TRADEWIND_HOME`."""
        return self.stack.home.path

    @property
    def logs(self) -> Path:
        """The folder of the parts' logs, and in `logs/` those of the tasks."""
        return self.stack.home.airflow

    @contextmanager
    def client(self, who: str | None) -> Iterator[httpx.Client]:
        """A client with that user's token; `None`: nobody's. Paths go out as they are written."""
        with httpx.Client(base_url=self.url.replace("localhost", "127.0.0.1"), timeout=30.0) as client:
            if who is not None:
                login = {"username": self.users[who].name, "password": self.users[who].password}
                answer = client.post("/auth/token", json=login).raise_for_status()
                client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            yield client

    def trigger(self, **conf: object) -> DagRun:
        """Start a run of the shipped DAG."""
        set_paused(self.stack.server, False)
        return trigger(self.stack.server, conf)

    def run_dir(self, run_id: str) -> Path:
        """Where a run of the shipped DAG keeps its files."""
        return run_path(self.home, DAG_ID, run_id)

    def task(self, run_id: str, task_id: str) -> dict[str, Any]:
        """A task of a run of the shipped DAG, as Airflow tells it."""
        answer = self.stack.server.get(f"/dags/{DAG_ID}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}")
        return dict(answer.raise_for_status().json())

    def end(self, run: DagRun, limit: float = 900) -> dict[str, str]:
        """Wait for a run's end; the states of its tasks."""
        wait_for(lambda: run.state() in ENDED, f"{run.run_id} has ended; see {self.logs}", limit)
        return {str(task["task_id"]): str(task["state"]) for task in run.tasks()}

    def routes(self) -> list[tuple[str, list[str]]]:
        """Path and methods of every route of the plugin, as its application has them."""
        command = [sys.executable, "-c", _ROUTES]
        done = subprocess.run(
            command, env=self.stack.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return [(path, methods) for path, methods in json.loads(done.stdout.splitlines()[-1])]


def project(folder: Path) -> Path:
    """A checkout's folders: the shipped DAG and plugins, and a DAG of somebody else's."""
    (folder / "dags").mkdir(parents=True)
    for file in (*(REPOSITORY / "dags").glob(f"{DAG_ID}.py"), Path(__file__).with_name("foreign_dag.py")):
        shutil.copy(file, folder / "dags")
    (folder / "plugins").symlink_to(REPOSITORY / "plugins")
    return folder


@contextmanager
def started(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Site]:
    """The site, healthy; its users made. `settings`: environment variables of every part."""
    home = SiteHome(project(folder / "project"), folder / "home")
    logins = users.users(home)
    own = {
        "PYTHONPATH": os.pathsep.join(str(REPOSITORY / part) for part in ("include", "plugins")),
        "AIRFLOW__CORE__AUTH_MANAGER": _FAB,
        "AIRFLOW__API__SECRET_KEY": "signs-the-sessions-of-the-login-page-in-this-test",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        # Their defaults are fixed ports, which another Airflow on this machine may have.
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }
    with postgres() as database:
        stack = Stack(home, database, own | dict(settings or {}))
        stack.run("db", "migrate")
        users.create(stack, home.airflow, logins.values())
        with up(stack, "triggerer"):
            yield Site(stack, logins)
