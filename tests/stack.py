"""Airflow as in production: Postgres, API server, scheduler, DAG processor, each a process; workers, if wanted."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tradewind_airflow.local.home import LocalHome
from tradewind_airflow.local.server import Server, free_port

_PARTS = ("api-server", "scheduler", "dag-processor")
_LIMIT = 240.0
HEARTBEAT_TIMEOUT = 15


def postgres_programs() -> Path | None:
    """The folder of the newest Debian Postgres, which keeps its server's programs off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return found[-1] if found else None


@contextmanager
def postgres() -> Iterator[str]:
    """A cluster of its own on a free port of loopback; gives Airflow's connection address."""
    programs = postgres_programs()
    assert programs is not None
    # Not below pytest's folders: those are their owner's alone, and the server is another user.
    folder = Path(tempfile.mkdtemp(prefix="tradewind-postgres-"))
    shutil.chown(folder, "postgres")
    data, port = folder / "data", free_port()
    as_postgres: list[str | Path] = ["runuser", "-u", "postgres", "--"]
    subprocess.run([*as_postgres, programs / "initdb", "-A", "trust", "-D", data], check=True, capture_output=True)
    control = [*as_postgres, programs / "pg_ctl", "-D", data, "-w"]
    options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off"
    subprocess.run([*control, "-l", folder / "log", "-o", options, "start"], check=True, capture_output=True)
    try:
        yield f"postgresql+psycopg2://postgres@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True)
        shutil.rmtree(folder)


class Stack:
    """The processes of one Airflow."""

    def __init__(self, home: LocalHome, database: str, settings: Mapping[str, str] | None = None) -> None:
        port = free_port()
        self.home = home
        self.server = Server(home, port)
        self.environment = home.environment(port) | {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            # How soon a new scheduler takes a dead one's tasks for lost.
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
            "AIRFLOW__API_AUTH__JWT_SECRET": "a-secret-of-this-test-that-is-long-enough-for-hs512-signatures-here",
            **(settings or {}),
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, part: str, *command: str, **variables: str) -> None:
        """Start one of its processes as the leader of a group: `airflow <part>`, or another command of Airflow's."""
        with (self.home.airflow / f"{part}.log").open("ab") as log:
            self._processes[part] = subprocess.Popen(
                [sys.executable, "-m", "airflow", *(command or (part,))], env=self.environment | variables,
                cwd=self.home.project, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    def kill(self, part: str) -> list[str]:
        """SIGKILL to a process and all that it forked, as when a host loses power; returns their titles."""
        titles = self._titles(part)
        for pid in titles:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._processes.pop(part).wait()
        return list(titles.values())

    def pids(self, part: str, title: str) -> list[int]:
        """The processes of one part whose title matches."""
        return [pid for pid, one in self._titles(part).items() if re.search(title, one)]

    def _titles(self, part: str) -> dict[int, str]:
        titles = {}
        for found in Path("/proc").glob("[0-9]*/stat"):
            with suppress(FileNotFoundError, ProcessLookupError):
                fields = found.read_text(encoding="utf-8").rpartition(")")[2].split()
                if int(fields[3]) == self._processes[part].pid:  # its session
                    title = (found.parent / "cmdline").read_text(encoding="utf-8")
                    titles[int(found.parent.name)] = title.replace("\0", " ").strip()
        return titles

    def run(self, *arguments: str) -> str:
        """One `airflow` command; returns what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments], env=self.environment, cwd=self.home.project,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def stop(self) -> None:
        """End every process."""
        for process in self._processes.values():
            process.send_signal(signal.SIGINT)
        for part, process in list(self._processes.items()):
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill(part)


@contextmanager
def started(home: LocalHome, database: str) -> Iterator[Stack]:
    """The stack, healthy and logged in."""
    home.password()
    stack = Stack(home, database)
    stack.run("db", "migrate")
    with up(stack):
        yield stack


@contextmanager
def up(stack: Stack, *more: str) -> Iterator[None]:
    """Its parts, and those named, run while the block does: healthy, and the session logged in."""
    try:
        for part in (*_PARTS, *more):
            stack.start(part)
        deadline = time.monotonic() + _LIMIT
        while not stack.server.is_healthy():
            assert time.monotonic() < deadline, f"{stack.home.airflow}: Airflow did not become healthy; see its logs"
            time.sleep(0.5)
        stack.server.log_in()
        yield
    finally:
        stack.stop()


def xcom(server: Server, path: str) -> httpx.Response:
    """The value that a task instance returned."""
    return server.get(f"{path}/xcomEntries/return_value")
