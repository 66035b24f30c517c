"""The notify task and the notifiers against a Slack-like server on loopback, through the real client."""

from __future__ import annotations

import json
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from slack_server import SlackServer
from tradewind.files import write_atomically
from tradewind.reporting.contract import Report
from tradewind_airflow.local.server import free_port
from tradewind_airflow.notifications.slack import SlackFailureNotifier, SlackReportNotifier
from tradewind_airflow.operators.report import SlackReportOperator

TOKEN = "xoxb-marker-0815"
Notify = Callable[..., None]


@pytest.fixture
def run_dir(report: Report, tmp_path: Path) -> Path:
    """A run whose report is published."""
    (tmp_path / "report").mkdir()
    write_atomically(tmp_path / "report/report.json", report.model_dump_json())
    return tmp_path


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer(TOKEN) as server:
        yield server


@pytest.fixture
def with_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_TOKEN", TOKEN)


@pytest.fixture
def notify(run_dir: Path, context: Context) -> Notify:
    """Run the task against the Slack at this address."""

    def run(base_url: str, channel: str = "#general") -> None:
        task = SlackReportOperator(task_id="notify", channel=channel, run_dir=str(run_dir), base_url=base_url)
        task.execute(context)

    return run


def _connection(token: str) -> str:
    return json.dumps({"conn_type": "slack", "password": token})


@pytest.mark.parametrize(
    ("variable", "connection"), [(TOKEN, None), (None, TOKEN), (TOKEN, "xoxb-another"), ("", TOKEN)]
)
def test_the_token_comes_from_the_variable_or_else_the_connection(
    slack: SlackServer, notify: Notify, monkeypatch: pytest.MonkeyPatch, variable: str | None, connection: str | None
) -> None:
    if variable is not None:
        monkeypatch.setenv("SLACK_TOKEN", variable)
    if connection is not None:
        monkeypatch.setenv("AIRFLOW_CONN_SLACK_API_DEFAULT", _connection(connection))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.example/")
    notify(slack.base_url)
    (message,) = slack.messages
    assert (message["channel"], message["username"]) == ("#general", "Tradewind")
    assert "better (manual__2026-11-20T02" in message["text"]
    (button,) = (block["elements"][0] for block in message["blocks"] if block["type"] == "actions")
    assert button["url"] == "http://airflow.example/dags/trade_qa/runs/manual__2026-11-20T02%3A00%3A00%2B00%3A00"


def test_without_a_base_address_the_message_has_no_button(slack: SlackServer, notify: Notify, with_token: None) -> None:
    notify(slack.base_url)
    assert "actions" not in [block["type"] for block in slack.messages[0]["blocks"]]


def test_without_a_token_the_task_is_skipped_and_the_message_is_in_the_log(
    slack: SlackServer, run_dir: Path, notify: Notify, events: list[Any]
) -> None:
    with pytest.raises(AirflowSkipException, match="SLACK_TOKEN"):
        notify(slack.base_url)
    assert slack.calls == []
    logged = "\n".join(event["event"] for event in events)
    assert "reworded (ko)" in logged
    assert "+0.480 [+0.430, +0.530]" in logged
    assert str(run_dir / "report/report.html") in "\n".join(repr(event) for event in events)


def test_a_rate_limit_is_waited_for_and_the_message_comes_once(notify: Notify, with_token: None) -> None:
    with SlackServer(TOKEN, rate_limited=2, retry_after=1) as slack:
        began = time.monotonic()
        notify(slack.base_url)
        assert time.monotonic() - began >= 2
        assert len(slack.messages) == 1
        assert len(slack.calls) == 3


def test_a_rate_limit_without_end_leaves_it_to_the_tasks_retries(notify: Notify, with_token: None) -> None:
    with SlackServer(TOKEN, rate_limited=99, retry_after=0) as slack:
        with pytest.raises(AirflowException, match="ratelimited") as caught:
            notify(slack.base_url)
        assert not isinstance(caught.value, AirflowFailException)
        assert slack.messages == []


@pytest.mark.parametrize(
    ("token", "channel", "reason"), [("xoxb-revoked-1", "#general", "invalid_auth"), (TOKEN, "", "channel_not_found")]
)
def test_what_no_retry_mends_fails_the_task_with_one_line(
    notify: Notify, monkeypatch: pytest.MonkeyPatch, token: str, channel: str, reason: str
) -> None:
    monkeypatch.setenv("SLACK_TOKEN", token)
    with SlackServer(TOKEN) as slack, pytest.raises(AirflowFailException, match=reason) as caught:
        notify(slack.base_url, channel)
    assert "\n" not in str(caught.value)
    assert token not in "".join(traceback.format_exception(caught.value))
    assert len(slack.calls) == 1


def test_a_slack_that_is_down_leaves_it_to_the_tasks_retries(notify: Notify, with_token: None) -> None:
    with pytest.raises(AirflowException, match="cannot be reached") as caught:
        notify(f"http://127.0.0.1:{free_port()}/api/")
    assert not isinstance(caught.value, AirflowFailException)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


class _BadGateway(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"<html>502 Bad Gateway</html>"
        self.send_response(502)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """No access log."""


@contextmanager
def _gateway() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _BadGateway) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api/"
        finally:
            server.shutdown()
            thread.join()


def test_a_proxys_error_page_leaves_it_to_the_tasks_retries(notify: Notify, with_token: None) -> None:
    with _gateway() as base_url, pytest.raises(AirflowException, match="Slack") as caught:
        notify(base_url)
    assert not isinstance(caught.value, AirflowFailException)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"), [(None, "run the stage 'report' first"), ("{}", "run the stage 'report' again")]
)
def test_a_report_that_is_not_there_fails_the_task(
    run_dir: Path, slack: SlackServer, notify: Notify, content: str | None, words: str
) -> None:
    file = run_dir / "report/report.json"
    file.unlink() if content is None else file.write_text(content, encoding="utf-8")
    with pytest.raises(AirflowFailException, match=words) as caught:
        notify(slack.base_url)
    assert str(caught.value).startswith(str(file))
    assert slack.calls == []


def test_what_documents_say_is_never_rendered(
    slack: SlackServer, run_dir: Path, context: Context, with_token: None
) -> None:
    notifier = SlackReportNotifier(
        report_path="{{ folder }}/report/report.json", channel="#general", base_url=slack.base_url
    )
    for _ in range(2):  # a notifier may be called again, then with its fields of before
        notifier({**context, "folder": str(run_dir)})
    assert len(slack.messages) == 2
    assert all("{{ 7*7 }} {% no tag %}" in json.dumps(message) for message in slack.messages)


def test_what_documents_say_never_mentions_anybody(slack: SlackServer, notify: Notify, with_token: None) -> None:
    notify(slack.base_url)
    (message,) = slack.messages
    header = message["blocks"].pop(0)  # plain text, in which Slack knows no mentions
    assert header["text"]["type"] == "plain_text"
    assert "&lt;!channel&gt;" in json.dumps(message)
    assert "<!" not in json.dumps(message)


_MASKED = """
import logging, sys
from types import SimpleNamespace
from airflow.sdk.log import configure_logging
from tradewind_airflow.operators.report import SlackReportOperator
configure_logging(json_output=True)  # as Airflow's supervisor writes a task's log
folder, base_url, token = sys.argv[1:]
notify = SlackReportOperator(task_id="notify", channel="#general", run_dir=folder, base_url=base_url)
notify.log.info("before: %s", token)
notify.execute({"ti": SimpleNamespace(dag_id="d", run_id="r", task_id="notify", try_number=1)})
notify.log.info("after: %s", token)
logging.getLogger("another").warning("after: Bearer %s", token)
"""


@pytest.mark.parametrize("source", ["variable", "connection"])
def test_the_token_is_masked_in_the_log(slack: SlackServer, run_dir: Path, python: Any, source: str) -> None:
    variable = (
        {"SLACK_TOKEN": TOKEN} if source == "variable" else {"AIRFLOW_CONN_SLACK_API_DEFAULT": _connection(TOKEN)}
    )
    done = python(_MASKED, str(run_dir), slack.base_url, TOKEN, **variable)
    assert len(slack.messages) == 1
    shown = [line for line in (done.stdout + done.stderr).splitlines() if TOKEN in line]
    assert [json.loads(line)["event"] for line in shown] == [f"before: {TOKEN}"]
    assert done.stdout.count("after: ") == 2


@pytest.mark.parametrize("where", ["task", "DAG processor"])
def test_a_failed_run_is_told(slack: SlackServer, context: Context, with_token: None, where: str) -> None:
    ti = context.pop("task_instance") if where == "DAG processor" else context["ti"]
    SlackFailureNotifier(channel="#general", base_url=slack.base_url)(context)
    (message,) = slack.messages
    assert ti.run_id in message["text"]
    assert ti.run_id in message["blocks"][0]["text"]["text"]
    assert ("a_task" in message["text"]) is (where == "task")


def test_a_failed_run_without_slack_is_told_to_nobody(slack: SlackServer, context: Context) -> None:
    SlackFailureNotifier(channel="#general", base_url=slack.base_url)(context)
    assert slack.calls == []
    assert not [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]
