"""The run's report, and the task that tells it to Slack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from slack_sdk.errors import SlackApiError

from tradewind.errors import UserError
from tradewind.reporting.contract import read_report
from tradewind.run_dir import RunDir
from tradewind_airflow.notifications.message import plain_text
from tradewind_airflow.notifications.slack import SlackReportNotifier, slack_is_configured
from tradewind_airflow.operators.stage import StageOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

# Slack's own word for what no retry mends: https://docs.slack.dev/reference/methods/chat.postMessage#errors
_FINAL = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope",
     "channel_not_found", "not_in_channel", "is_archived", "invalid_blocks", "msg_too_long"}
)  # fmt: skip


class ReportOperator(StageOperator):
    """Publish `report/report.json`, `report.md` and `report.html`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(stage="report", **kwargs)


class SlackReportOperator(BaseOperator):
    """Send the report's verdict and score table to Slack.

    Without a Slack token or connection the message goes to the log and the task is *skipped*.

    Args:
        channel: where the message goes (templated).
        run_dir: the run's folder (templated).
        registered: what RegisterModelOperator returned (templated): whether the model is champion now.
        slack_conn_id: Airflow connection that holds the token, unless `SLACK_TOKEN` is set.
        base_url: another address of Slack's API, for a proxy.
    """

    template_fields: Sequence[str] = ("channel", "run_dir", "slack_conn_id", "registered")

    def __init__(
        self,
        *,
        channel: str = "{{ params.slack_channel }}",
        run_dir: str = "{{ macros.tradewind.run_dir(dag.dag_id, run_id) }}",
        registered: Any = None,
        slack_conn_id: str = "slack_api_default",
        base_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channel = channel
        self.run_dir = run_dir
        self.registered = registered
        self.slack_conn_id = slack_conn_id
        self.base_url = base_url

    def execute(self, context: Context) -> None:
        """Send, or say in the log what would have been sent.

        Raises:
            AirflowSkipException: no token and no connection.
            AirflowFailException: Slack refuses for a reason that a retry does not mend.
            AirflowException: Slack could not be reached, or still limits the rate after the retries.
        """
        path = RunDir(Path(self.run_dir)).published("report") / "report.json"
        try:
            report = read_report(path)
        except UserError as error:
            raise AirflowFailException(str(error)) from error
        promotion = (self.registered or {}).get("said")
        for line in plain_text(report, promotion).splitlines():
            self.log.info(line)
        self.log.info("report: %s", path.with_suffix(".html"))
        if not slack_is_configured(self.slack_conn_id):
            raise AirflowSkipException(
                f"no SLACK_TOKEN and no connection '{self.slack_conn_id}': the message stands above, in this log"
            )
        notifier = SlackReportNotifier(
            report_path=str(path), promotion=promotion, channel=self.channel, slack_conn_id=self.slack_conn_id,
            base_url=self.base_url,
        )  # fmt: skip
        try:
            notifier.notify(context)
        except SlackApiError as error:
            reason = str(error.response.get("error", "unknown"))
            kind = AirflowFailException if reason in _FINAL else AirflowException
            raise kind(f"Slack refused the message for '{self.channel}': {reason}") from None
        except OSError as error:
            raise AirflowException(f"Slack cannot be reached: {type(error).__name__}") from None
