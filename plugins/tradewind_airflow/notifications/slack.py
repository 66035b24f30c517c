"""Slack notifiers over the provider's: a finished report, and a run that failed."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.slack.hooks.slack import SlackHook
from airflow.providers.slack.notifications.slack import SlackNotifier
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler

from tradewind.reporting.contract import read_report
from tradewind_airflow.notifications.message import blocks, cut, escape, headline

if TYPE_CHECKING:
    from airflow.sdk import Context

TOKEN_VARIABLE = "SLACK_TOKEN"  # noqa: S105 - the variable's name
_TOKEN_CONN_ID = "tradewind_slack_token"  # noqa: S105


def slack_is_configured(slack_conn_id: str) -> bool:
    """Whether a message can be sent: `SLACK_TOKEN`, or the Airflow connection."""
    if os.environ.get(TOKEN_VARIABLE):
        return True
    try:
        return bool(Connection.get(slack_conn_id).password)
    except AirflowNotFoundException:
        return False


class TradewindSlackNotifier(SlackNotifier):
    """The provider's notifier with the token from `SLACK_TOKEN` or the connection, and retries that wait.

    A 429 is retried after the time that Slack names; the provider alone would fail at once.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault(
            "retry_handlers",
            [RateLimitErrorRetryHandler(max_retry_count=3), ConnectionErrorRetryHandler(max_retry_count=2)],
        )
        kwargs.setdefault("username", "Tradewind")
        kwargs.setdefault("timeout", 30)
        super().__init__(**kwargs)

    @cached_property
    def hook(self) -> SlackHook:
        """The provider's hook; a raw token is masked in every log and becomes a connection of this process."""
        token = os.environ.get(TOKEN_VARIABLE)
        if token:
            mask_secret(token)
            os.environ[f"AIRFLOW_CONN_{_TOKEN_CONN_ID.upper()}"] = json.dumps({"conn_type": "slack", "password": token})
            self.slack_conn_id = _TOKEN_CONN_ID
        return SlackHook(
            slack_conn_id=self.slack_conn_id,
            base_url=self.base_url,
            timeout=self.timeout,
            proxy=self.proxy,
            retry_handlers=self.retry_handlers,
        )


class SlackReportNotifier(TradewindSlackNotifier):
    """Verdict, score table and link of one run, from its `report.json` (`report_path` is templated).

    Args:
        promotion: what became of the model, in a line.
    """

    template_fields: Sequence[str] = ("report_path", "channel", "slack_conn_id")

    def __init__(self, *, report_path: str, promotion: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.report_path = report_path
        self.promotion = promotion

    def notify(self, context: Context) -> None:
        """Send the message; raises SlackApiError where Slack refuses it."""
        report = read_report(Path(self.report_path))
        # Set here, not in the constructor: what a document says must never be rendered as a template.
        self.text = escape(headline(report))
        self.blocks = blocks(report, run_link(context), self.promotion)
        super().notify(context)


class SlackFailureNotifier(TradewindSlackNotifier):
    """One line about a run that failed, as a DAG's `on_failure_callback`; without Slack it does nothing."""

    template_fields: Sequence[str] = ("channel", "slack_conn_id")

    def notify(self, context: Context) -> None:
        """Send which task failed, and where to look."""
        if not slack_is_configured(self.slack_conn_id):
            return
        ti = context.get("task_instance")
        run_id = str(context.get("run_id") or getattr(context.get("dag_run"), "run_id", "unknown"))
        what = f"task `{ti.task_id}`" if ti is not None else "a task"
        self.text = escape(f"Tradewind: {what} failed in run {run_id}")
        detail = escape(cut(f":x: {what} failed\nrun `{run_id}`", 2900))
        self.blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": detail}}]
        super().notify(context)


def run_link(context: Context) -> str | None:
    """The run's page in Airflow's interface; None where no base address is configured."""
    from urllib.parse import quote

    from airflow.sdk.configuration import conf

    base = conf.get("api", "base_url", fallback="").rstrip("/")
    ti = context.get("ti")
    return f"{base}/dags/{quote(ti.dag_id)}/runs/{quote(ti.run_id, safe='')}" if base and ti is not None else None
