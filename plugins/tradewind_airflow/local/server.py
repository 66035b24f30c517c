"""Start, find and stop `airflow standalone`."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx

from tradewind.errors import UserError
from tradewind_airflow.local.home import USER, LocalHome

_START_LIMIT = 180.0
_STOP_LIMIT = 30.0
_GET_ATTEMPTS = 6


class Server:
    """A running Airflow: its REST API with a session of the local user."""

    def __init__(self, home: LocalHome, port: int) -> None:
        self.url = f"http://localhost:{port}"
        self._home = home
        # The very address that the server was told to bind: `localhost` may be another program's [::1].
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30.0)

    def is_healthy(self) -> bool:
        """Whether API, scheduler and DAG processor all answer."""
        try:
            health = self._client.get("/api/v2/monitor/health").json()
        except (httpx.HTTPError, ValueError):
            return False
        parts = ("metadatabase", "scheduler", "dag_processor")
        return all(health.get(part, {}).get("status") == "healthy" for part in parts)

    def log_in(self) -> None:
        """Get a token for the calls that follow."""
        answer = self._client.post("/auth/token", json={"username": USER, "password": self._home.password()})
        answer.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str) -> httpx.Response:
        """A GET below `/api/v2`; the answer's status is the caller's to judge.

        A busy server (SQLite locked, a timeout) is asked again: a run must not end for one failed look.
        """
        for attempt in range(1, _GET_ATTEMPTS):
            try:
                answer = self._client.get(f"/api/v2{path}")
            except httpx.TransportError:
                pass
            else:
                if not answer.is_server_error:
                    return answer
            time.sleep(attempt)
        return self._client.get(f"/api/v2{path}")

    def send(self, method: str, path: str, body: dict[str, object]) -> httpx.Response:
        """A changing call below `/api/v2`; raises HTTPStatusError where it is refused."""
        answer = self._client.request(method, f"/api/v2{path}", json=body)
        answer.raise_for_status()
        return answer


def running(home: LocalHome) -> Server | None:
    """The server that `make up` started, if it still answers."""
    try:
        server = Server(home, int(json.loads(home.server_file.read_text(encoding="utf-8"))["port"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return server if server.is_healthy() else None


@contextmanager
def started(home: LocalHome, port: int, *, shared: bool = False, page_port: int | None = None) -> Iterator[Server]:
    """An Airflow on `port` while the block runs; its output goes to `airflow/standalone.log`.

    Args:
        shared: let `running` find it, for others to use; only one that stays up should be.
        page_port: the port that links in messages name, if another than `port`.

    Raises:
        UserError: another Airflow of this folder is up, the port is taken, or Airflow ended or did
            not answer in time; names the log.
    """
    _refuse_taken(port)
    with _only_one(home), _started(home, port, page_port) as server:
        if shared:
            home.server_file.write_text(json.dumps({"port": port}), encoding="utf-8")
        try:
            yield server
        finally:
            if shared:
                home.server_file.unlink(missing_ok=True)


@contextmanager
def _only_one(home: LocalHome) -> Iterator[None]:
    """Two Airflows on one SQLite file would fail each other's runs."""
    home.path.mkdir(parents=True, exist_ok=True)
    with (home.path / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{home.path}: another run of this folder is under way; wait for its end") from None
        yield


@contextmanager
def _started(home: LocalHome, port: int, page_port: int | None) -> Iterator[Server]:
    home.password()
    log_file = home.airflow / "standalone.log"
    with log_file.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tradewind_airflow.local.tether", str(os.getpid()), "airflow", "standalone"],
            env=home.environment(port, page_port),
            cwd=home.project,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        server = Server(home, port)
        deadline = time.monotonic() + _START_LIMIT
        while not server.is_healthy():
            if process.poll() is not None:
                raise UserError(
                    f"{log_file}: Airflow ended with {process.returncode} while starting; see its last lines"
                )
            if time.monotonic() > deadline:
                raise UserError(f"{log_file}: Airflow did not answer within {_START_LIMIT:.0f} s; see its last lines")
            time.sleep(0.25)
        yield server
    finally:
        _stop(process)


def free_port() -> int:
    """A port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(f"port {port}: taken by another program; choose one with PORT=...") from error


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGINT, on which it stops its parts in order (SIGTERM would orphan them); then by force."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_LIMIT)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
