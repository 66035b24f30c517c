"""A night of the pipeline as the tasks that tell of it find it, and the blocks that they send."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from finished_run import finished_run
from slack_server import SlackServer
from tradewind.files import write_atomically
from tradewind.results import StageResult
from tradewind_airflow.notifications.errors import keep_error

TOKEN = "xoxb-marker-0815"
RUN_ID = "scheduled__2026-11-20T02:00:00+00:00"
PAGE = "http://airflow.example/dags/trade_qa/runs/scheduled__2026-11-20T02%3A00%3A00%2B00%3A00"
BEFORE = "scheduled__2026-11-19T02-00-00-00-00-1a2b3c4d"
TASKS = ("configure", "announce", "extract", "prepare", "baseline", "adapt", "finetune", "evaluate", "report",
         "register", "approve", "promote", "notify", "tell_promotion")  # fmt: skip
STAGES = ("prepare", "baseline", "adapt", "finetune", "evaluate", "report")


@dataclass
class Night:
    """One run of the DAG: its folder, the states that Airflow gives its tasks, and a context for each of them."""

    path: Path
    states: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(
        default_factory=lambda: {"recipe": "tiny", "data": "/srv/My Trade", "seed": 42, "slack_channel": "#tradewind"}
    )
    dag_run: Any = field(default_factory=lambda: SimpleNamespace(run_type="scheduled", run_id=RUN_ID))

    def __post_init__(self) -> None:
        with DAG("trade_qa") as self.dag:
            for task_id in TASKS:
                BaseOperator(task_id=task_id)

    def context(self, task_id: str = "notify", map_index: int = -1, try_number: int = 1) -> dict[str, Any]:
        """What of a task's context is read here."""
        ti = SimpleNamespace(
            dag_id="trade_qa", run_id=RUN_ID, task_id=task_id, map_index=map_index, try_number=try_number,
            get_task_states=lambda dag_id, run_ids: {run_ids[0]: self.states} if dag_id == "trade_qa" else {},
        )  # fmt: skip
        return {
            "dag": self.dag, "ti": ti, "task_instance": ti, "run_id": RUN_ID, "params": self.params,
            "dag_run": self.dag_run, "task": self.dag.task_dict[task_id],
        }  # fmt: skip

    def ended(self, **states: str) -> None:
        """All tasks that notify waits for are done: well, but for these."""
        self.states |= dict.fromkeys(("configure", *STAGES), "success")
        self.states |= {"notify": "running"} | states

    def failed(self, task_id: str, error: BaseException, map_index: int = -1, try_number: int = 1) -> None:
        """A task failed, and its callback kept why."""
        keep_error({**self.context(task_id, map_index, try_number), "exception": error})  # type: ignore[typeddict-item]
        self.states[task_id if map_index < 0 else f"{task_id}_{map_index}"] = "failed"

    def scored(self, **settings: Any) -> None:
        """All stages up to the report have published."""
        shutil.rmtree(self.path, ignore_errors=True)
        finished_run(self.path, **settings)

    def standing(self, status: str, *stages: str) -> None:
        """These stages' results are of the night before."""
        for stage in stages:
            file = self.path / stage / "result.json"
            result = StageResult.model_validate_json(file.read_bytes())
            changed = result.model_copy(update={"status": status, "source_run": BEFORE})
            write_atomically(file, changed.model_dump_json())


def connect(monkeypatch: pytest.MonkeyPatch, server: SlackServer | str, token: str = TOKEN) -> None:
    """Have the provider's default connection lead to this server."""
    base_url = server if isinstance(server, str) else server.base_url
    connection = {"conn_type": "slack", "password": token, "extra": {"base_url": base_url}}
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_API_DEFAULT", json.dumps(connection))


def told(message: dict[str, Any]) -> dict[str, Any]:
    """What of a message is told, and where; not how the client spells the rest."""
    names = ("channel", "text", "blocks", "attachments", "thread_ts", "reply_broadcast")
    return {name: message[name] for name in names if name in message}


def header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": True}}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def small(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


def buttons(**urls: str) -> dict[str, Any]:
    found = [
        {"type": "button", "text": {"type": "plain_text", "text": label.replace("_", " ")}, "url": url}
        for label, url in urls.items()
    ]
    return {"type": "actions", "elements": found}
