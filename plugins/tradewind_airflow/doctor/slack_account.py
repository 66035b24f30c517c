"""`python -m tradewind_airflow.doctor.slack_account`: what Slack says of the token here, as one line of JSON.

In a process of its own: the token may be in an Airflow connection, and Airflow is slow to import. No token is printed.
"""

from __future__ import annotations

import json
import os
from typing import Any

from tradewind.errors import without_secret
from tradewind_airflow.notifications.client import CONNECTION, TOKEN_VARIABLE, faults

_LIMIT = 15
_PAGES = 5  # of channels that are looked through
_CHANNEL = "#tradewind"


def account() -> dict[str, Any]:
    """Where the token comes from, whom Slack takes it for, its scopes, and whether the channel is seen."""
    told: dict[str, Any] = {
        "source": None, "error": "", "reached": True, "user": "", "team": "", "scopes": [], "channel_found": None,
        "channel": os.environ.get("TRADEWIND_SLACK_CHANNEL") or _CHANNEL,
    }  # fmt: skip
    source, token, base_url = _token()
    if not token:
        return told
    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError

    client = WebClient(token, base_url or WebClient.BASE_URL, timeout=_LIMIT)
    told["source"] = source
    try:
        answer = client.auth_test()
        told |= {"user": answer.get("user", ""), "team": answer.get("team", "")}
        headers = {name.casefold(): str(value) for name, value in answer.headers.items()}
        told["scopes"] = [scope for scope in headers.get("x-oauth-scopes", "").split(",") if scope]
        told["channel_found"] = _sees(client, told["channel"].removeprefix("#"))
    except SlackApiError as error:
        told["error"] = str(error.response.get("error", "unknown"))
    except faults() as error:
        told |= {"error": type(error).__name__, "reached": False}
    return {name: without_secret(one, token) if isinstance(one, str) else one for name, one in told.items()}


def _token() -> tuple[str | None, str | None, str | None]:
    """Its source, itself, and another address of Slack's API, as a run's messages take them."""
    if token := os.environ.get(TOKEN_VARIABLE):
        return TOKEN_VARIABLE, token, None
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        found = Connection.get(CONNECTION)
    except AirflowNotFoundException:
        return None, None, None
    return f"the connection {CONNECTION}", found.password, found.extra_dejson.get("base_url")


def _sees(client: Any, name: str) -> bool | None:
    """Whether a channel of the name is among those the bot may list; None where it may list none."""
    from slack_sdk.errors import SlackApiError

    cursor = ""
    try:
        for _ in range(_PAGES):
            page = client.conversations_list(limit=1000, cursor=cursor, types="public_channel,private_channel")
            if any(name in (channel.get("name"), channel.get("id")) for channel in page.get("channels") or ()):
                return True
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return False
    except SlackApiError:  # without the scope channels:read, which sending needs not
        return None
    return None


if __name__ == "__main__":
    print(json.dumps(account()))
