"""The folder of a local Airflow, and the settings it runs with."""

from __future__ import annotations

import json
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from tradewind.store.address import CACHE_VARIABLE, home_of, is_address
from tradewind_airflow.gpus import inventory

USER = "admin"


@dataclass(frozen=True)
class LocalHome:
    """`<project>/.tradewind`: Airflow's home, its login and all runs."""

    project: Path
    """The checkout: the folder that holds `dags/` and `plugins/`."""

    @property
    def path(self) -> Path:
        """`$TRADEWIND_HOME`, or `.tradewind` in the project: Airflow's own files are never in a bucket."""
        stated = os.environ.get("TRADEWIND_HOME")
        return Path(self.project / ".tradewind" if not stated or is_address(stated) else stated).resolve()

    @property
    def runs(self) -> Path:
        """The folder that holds `runs/` and `models/`: the same, or what is here of a bucket."""
        stated = os.environ.get("TRADEWIND_HOME", "")
        return home_of(stated, self._cache) if is_address(stated) else self.path

    @property
    def _cache(self) -> Path:
        return Path(os.environ.get(CACHE_VARIABLE) or self.path / "cache").resolve()

    @property
    def airflow(self) -> Path:
        """Airflow's home."""
        return self.path / "airflow"

    @property
    def server_file(self) -> Path:
        """Says on which port a server that still runs can be found."""
        return self.path / "server.json"

    def password(self) -> str:
        """The login's password, made once and readable by its owner only."""
        file = self.airflow / "passwords.json"
        if not file.exists():
            self.airflow.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as out:
                json.dump({USER: secrets.token_urlsafe(12)}, out)
        return str(json.loads(file.read_text(encoding="utf-8"))[USER])

    def environment(self, port: int, page_port: int | None = None) -> dict[str, str]:
        """The variables for every Airflow process: this process's own, without another Airflow's settings."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW__", "_AIRFLOW"))}
        return own | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "AIRFLOW_HOME": str(self.airflow),
            "TRADEWIND_HOME": stated if is_address(stated := os.environ.get("TRADEWIND_HOME", "")) else str(self.path),
            CACHE_VARIABLE: str(self._cache),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.project / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.project / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",  # else 32 workers are forked at the start
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.airflow / "passwords.json"),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            # Links in messages lead to where `make up` serves, also from a run whose own port is gone by then.
            "AIRFLOW__API__BASE_URL": f"http://localhost:{page_port or port}",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{port}/execution/",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",  # so a task that was cleared ends within five seconds
            # Who starts this may read all of it anyway; on a shared server the list is short.
            "TRADEWIND_MOUNT_ROOTS": os.environ.get("TRADEWIND_MOUNT_ROOTS", "/"),
            "TRADEWIND_TASK_GPUS": os.environ.get("TRADEWIND_TASK_GPUS", "1" if inventory() else "0"),
        }
