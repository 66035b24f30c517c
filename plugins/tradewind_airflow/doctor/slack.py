"""Slack: whether the token is known, what it may do, and what of the channel the API tells."""

from __future__ import annotations

import importlib.metadata
import os
import tempfile
from pathlib import Path
from typing import Any

from tradewind.doctor.check import Finding, failure, not_needed, ok, warning
from tradewind.doctor.child import told_by
from tradewind.doctor.subject import Subject

LIMIT = 45.0
"""Seconds: without SLACK_TOKEN Airflow is asked for a connection."""
_NEEDED = ("chat:write", "files:write")
_TOKEN_TO_DO = "make a bot token at api.slack.com/apps and set SLACK_TOKEN: docs/slack.md"  # noqa: S105


def look_at_slack(_: Subject) -> Finding:
    """The token by `auth.test`, its scopes by what Slack says beside it; nothing is sent to a channel."""
    try:
        importlib.metadata.version("apache-airflow-providers-slack")
    except importlib.metadata.PackageNotFoundError:
        return not_needed("Airflow's Slack provider is not installed here")
    told = _asked()
    if told["source"] is None:
        return not_needed("no SLACK_TOKEN and no connection slack_api_default: messages stand in the log of notify")
    if told["error"]:
        return _refused(told)
    lacking = [scope for scope in _NEEDED if told["scopes"] and scope not in told["scopes"]]
    who = f"{told['user']} in {told['team']}, by {told['source']}"
    if lacking:
        return failure(
            f"{who}: without the scope {', '.join(lacking)}", "add it to the Slack app, and install it again"
        )
    return _in_channel(who, told)


def _asked() -> dict[str, Any]:
    """A process that looks for a connection must not make a home for Airflow where there is none."""
    home = Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()
    with tempfile.TemporaryDirectory(prefix="tradewind-doctor-") as elsewhere:
        environment = dict(os.environ) | ({} if home.is_dir() else {"AIRFLOW_HOME": elsewhere})
        return told_by("tradewind_airflow.doctor.slack_account", LIMIT, module=True, environment=environment)


def _refused(told: dict[str, Any]) -> Finding:
    if told["reached"]:
        return failure(f"Slack refuses the token of {told['source']}: {told['error']}", _TOKEN_TO_DO)
    return failure(f"Slack cannot be reached: {told['error']}", "check the network and the proxy")


def _in_channel(who: str, told: dict[str, Any]) -> Finding:
    channel = told["channel"]
    if told["channel_found"] is False:
        return warning(f"{who}; it sees no channel {channel}", "invite the bot: /invite, or name another channel")
    there = f"{channel} is there" if told["channel_found"] else f"whether it may write to {channel} shows the first run"
    return ok(f"{who}; {there}")
