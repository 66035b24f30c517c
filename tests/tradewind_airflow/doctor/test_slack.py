"""The Slack token, by a Slack-like server on loopback."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from doctoring import Doctor
from slack_server import SlackServer

TOKEN = "xoxb-marker-0815"


def _connection(base_url: str, token: str = TOKEN) -> dict[str, str]:
    told = {"conn_type": "slack", "password": token, "extra": {"base_url": base_url}}
    return {"AIRFLOW_CONN_SLACK_API_DEFAULT": json.dumps(told)}


def test_a_token_that_slack_knows_is_told_with_its_account(doctor: Doctor, tmp_path: Path) -> None:
    with SlackServer(TOKEN) as slack:
        told = doctor("tiny", "slack", **_connection(slack.base_url))
        other = doctor("tiny", "slack", TRADEWIND_SLACK_CHANNEL="#nowhere", **_connection(slack.base_url))
    assert told.outcome("slack") == "ok", told.text
    assert "bot in Test, by the connection slack_api_default; #tradewind is there" in told.words("slack")
    assert "it sees no channel #nowhere -> invite the bot" in other.words("slack")
    assert slack.messages == []
    assert TOKEN not in told.text
    assert not (tmp_path / "nothing").exists(), "no home is made for Airflow"


def test_a_token_that_lacks_a_scope_is_a_failure_that_names_it(doctor: Doctor) -> None:
    with SlackServer(TOKEN, scopes=frozenset({"chat:write"})) as slack:
        told = doctor("tiny", "slack", **_connection(slack.base_url))
    assert told.outcome("slack") == "failure"
    assert "without the scope files:write -> add it to the Slack app" in told.words("slack")


def test_a_wrong_token_and_a_slack_that_is_away_are_told_apart(doctor: Doctor) -> None:
    with SlackServer(TOKEN) as slack:
        wrong = doctor("tiny", "slack", **_connection(slack.base_url, "xoxb-of-another"))
    assert "Slack refuses the token of the connection slack_api_default: invalid_auth" in wrong.words("slack")
    assert "xoxb-of-another" not in wrong.text
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = doctor("tiny", "slack", **_connection(f"http://127.0.0.1:{nobody.getsockname()[1]}/api/"))
    assert "Slack cannot be reached: URLError" in away.words("slack")


def test_without_a_token_messages_stand_in_the_log(doctor: Doctor) -> None:
    assert doctor("tiny", "slack").outcome("slack") == "not needed here"
