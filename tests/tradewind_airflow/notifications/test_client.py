"""The way to Slack: the token, and what stands between."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from slack_server import SlackServer
from telling import TOKEN
from tradewind_airflow.notifications.client import SlackPlace, slack_is_configured, told_to_task
from tradewind_airflow.notifications.message import Message, message, section
from tradewind_airflow.notifications.thread import Thread, read_thread

HELLO = message("hello", section("hello"))


def _connection(token: str, **extra: str) -> str:
    return json.dumps({"conn_type": "slack", "password": token, "extra": extra})


@pytest.mark.parametrize(
    ("variable", "connection"), [(TOKEN, None), (None, TOKEN), (TOKEN, "xoxb-another"), ("", TOKEN)]
)
def test_the_token_comes_from_the_variable_or_else_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None, connection: str | None
) -> None:
    assert not slack_is_configured("slack_api_default")
    if variable is not None:
        monkeypatch.setenv("SLACK_TOKEN", variable)
    if connection is not None:
        monkeypatch.setenv("AIRFLOW_CONN_SLACK_API_DEFAULT", _connection(connection))
    assert slack_is_configured("slack_api_default")
    with SlackServer(TOKEN) as slack:
        SlackPlace(tmp_path, channel="#general", base_url=slack.base_url).post(HELLO)
    (sent,) = slack.messages
    assert (sent["channel"], sent["username"], sent["unfurl_links"]) == ("#general", "Tradewind", False)


_MASKED = """
import logging, sys
from pathlib import Path
from airflow.sdk.log import configure_logging
from tradewind_airflow.notifications.client import SlackPlace
from tradewind_airflow.notifications.message import message, section
configure_logging(json_output=True)  # as Airflow's supervisor writes a task's log
folder, base_url, token = sys.argv[1:]
log = logging.getLogger("another")
log.warning("before: %s", token)
SlackPlace(Path(folder), channel="#general", base_url=base_url).post(message("hello", section("hello")))
log.warning("after: Bearer %s", token)
"""


@pytest.mark.parametrize("source", ["variable", "connection"])
def test_the_token_is_masked_in_the_log(slack: SlackServer, tmp_path: Path, python: Any, source: str) -> None:
    variable = (
        {"SLACK_TOKEN": TOKEN} if source == "variable" else {"AIRFLOW_CONN_SLACK_API_DEFAULT": _connection(TOKEN)}
    )
    done = python(_MASKED, str(tmp_path), slack.base_url, TOKEN, **variable)
    assert len(slack.messages) == 1
    shown = [line for line in (done.stdout + done.stderr).splitlines() if TOKEN in line]
    assert [json.loads(line)["event"] for line in shown] == [f"before: {TOKEN}"]
    assert done.stdout.count("after: ") == 1


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


def test_a_proxys_error_page_is_one_line_and_leaves_it_to_the_retries(
    tmp_path: Path, connected: Callable[..., None]
) -> None:
    with _gateway() as base_url:
        connected(base_url)
        place = SlackPlace(tmp_path, channel="#general")
        with pytest.raises(AirflowException, match="Slack") as caught, told_to_task("#general"):
            place.post(HELLO)
    assert not isinstance(caught.value, AirflowFailException)
    assert "\n" not in str(caught.value)
    assert read_thread(tmp_path) is None


def test_a_message_without_blocks_is_refused_by_the_server_of_these_tests(slack: SlackServer, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match="invalid_blocks"), told_to_task("#general"):
        SlackPlace(tmp_path, channel="#general").post(Message("x", (section("y" * 10) | {"type": "nothing"},)))


def test_a_picture_that_cannot_be_sent_is_told_in_the_log_only(
    slack: SlackServer, tmp_path: Path, connected: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    picture = tmp_path / "scores.png"
    place = SlackPlace(tmp_path, channel="#general")
    place.share(picture, "t", "s")  # no thread, and no picture
    place.thread = Thread(channel="C00000001", ts="1.1")
    place.share(picture, "t", "s")
    assert (slack.calls, caplog.text) == ([], "")
    picture.write_bytes(b"png")
    place.share(picture, "t", "s")
    assert slack.shared == []
    assert "scores.png is not in Slack: thread_not_found" in caplog.text


def test_a_picture_that_is_a_link_to_elsewhere_stays_in_the_house(slack: SlackServer, tmp_path: Path) -> None:
    run_dir, secret = tmp_path / "run", tmp_path / "secret.txt"
    secret.write_text("nothing of this may go out")
    run_dir.mkdir()
    (run_dir / "scores.png").symlink_to(secret)
    place = SlackPlace(run_dir, channel="#general")
    place.post(message("it is done", section("done")))
    place.share(run_dir / "scores.png", "scores", "a plot")
    assert slack.shared == []
    assert slack.uploads == {}


def test_a_full_disk_does_not_hinder_what_is_told(
    slack: SlackServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "file"
    file.write_text("where the run's folder should be")
    place = SlackPlace(file, channel="#general")
    place.post(HELLO)
    place.post(HELLO)
    assert [sent.get("thread_ts") for sent in slack.messages] == [None, "1700000001.000100"]
    assert "later messages of this run go to the channel" in caplog.text
