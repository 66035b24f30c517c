"""Trigger the DAG, show what its tasks log, and wait for its end."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from tradewind.errors import UserError
from tradewind_airflow.local.home import LocalHome
from tradewind_airflow.local.server import Server

DAG_ID = "trade_qa"
_PARSE_LIMIT = 120.0
_TELLING = ("announce", "notify", "tell_promotion")


class DagRun:
    """One triggered run of the DAG."""

    def __init__(self, server: Server, run_id: str) -> None:
        self.server = server
        self.run_id = run_id
        self._path = f"/dags/{DAG_ID}/dagRuns/{quote(run_id, safe='')}"

    def state(self) -> str:
        """`queued`, `running`, `success` or `failed`."""
        return str(_json(self.server.get(self._path))["state"])

    def fail(self) -> None:
        """Mark the run failed, which ends its tasks."""
        self.server.send("PATCH", self._path, {"state": "failed"})

    def tasks(self) -> list[dict[str, Any]]:
        """The task instances in the order they ran."""
        found = _json(self.server.get(f"{self._path}/taskInstances"))["task_instances"]
        return sorted(found, key=lambda task: task["start_date"] or "9")


def trigger(server: Server, conf: dict[str, object]) -> DagRun:
    """Start a run with these params; the DAG must be unpaused for it to go on.

    Raises:
        UserError: the DAG cannot be imported, or Airflow refuses the params.
    """
    _wait_for_dag(server)
    try:
        answer = server.send("POST", f"/dags/{DAG_ID}/dagRuns", {"conf": conf, "logical_date": None})
    except httpx.HTTPStatusError as error:
        raise UserError(f"{DAG_ID}: Airflow refused the run: {error.response.text}") from error
    return DagRun(server, str(answer.json()["dag_run_id"]))


def unfinished(server: Server) -> list[DagRun]:
    """Runs that are under way, or were when their Airflow was stopped."""
    found = _json(server.get(f"/dags/{DAG_ID}/dagRuns?state=running&state=queued"))["dag_runs"]
    return [DagRun(server, str(run["dag_run_id"])) for run in found]


def follow(run: DagRun, home: LocalHome) -> str:
    """Print what the tasks log until the run has ended; returns its state."""
    shown: dict[Path, int] = {}
    while True:
        state = run.state()
        _show_new_lines(home.airflow / "logs" / f"dag_id={DAG_ID}" / f"run_id={run.run_id}", shown)
        if state in ("success", "failed"):
            return state
        time.sleep(1.0)


def set_paused(server: Server, paused: bool) -> bool:
    """Pause or unpause the DAG; returns what it was before."""
    _wait_for_dag(server)
    before = bool(_json(server.get(f"/dags/{DAG_ID}"))["is_paused"])
    if before != paused:
        server.send("PATCH", f"/dags/{DAG_ID}", {"is_paused": paused})
    return before


def _wait_for_dag(server: Server) -> None:
    deadline = time.monotonic() + _PARSE_LIMIT
    while server.get(f"/dags/{DAG_ID}").status_code != httpx.codes.OK:
        errors = _json(server.get("/importErrors"))["import_errors"]
        if errors:
            last = errors[0]["stack_trace"].strip().splitlines()[-1]
            raise UserError(f"{errors[0]['filename']}: cannot be imported: {last}")
        if time.monotonic() > deadline:
            raise UserError(f"dags/{DAG_ID}.py: not found by Airflow within {_PARSE_LIMIT:.0f} s")
        time.sleep(0.25)


def _show_new_lines(folder: Path, shown: dict[Path, int]) -> None:
    for log in sorted(folder.glob("task_id=*/**/attempt=*.log"), key=lambda path: path.stat().st_mtime):
        with log.open(encoding="utf-8") as file:
            file.seek(shown.get(log, 0))
            while (line := file.readline()).endswith("\n"):
                shown[log] = file.tell()
                _show(_task(log.parent.relative_to(folder)), line)


def _task(folder: Path) -> str:
    """`task_id=extract/map_index=2` as `extract[2]`."""
    task, *mapped = (part.partition("=")[2] for part in folder.parts)
    return task + "".join(f"[{index}]" for index in mapped)


def _show(task: str, line: str) -> None:
    """Our own lines and every error; the scores are shown once, at the end."""
    try:
        entry = json.loads(line)
    except ValueError:
        return
    ours = "tradewind" in str(entry.get("logger")) and task not in _TELLING
    if ours or entry.get("level") in ("error", "critical"):
        print(f"[{task}] {entry.get('event')}", flush=True)
    for error in entry.get("error_detail") or ():
        print(f"[{task}] {error.get('exc_type')}: {error.get('exc_value')}", flush=True)


def _json(answer: httpx.Response) -> dict[str, Any]:
    answer.raise_for_status()
    return dict(answer.json())
