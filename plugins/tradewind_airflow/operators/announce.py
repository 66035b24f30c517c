"""The task that tells Slack that a run has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

from tradewind_airflow.notifications.client import faults
from tradewind_airflow.notifications.messages.start import started, who_triggered
from tradewind_airflow.operators.tell import TellOperator
from tradewind_airflow.shared import on_shared_home

if TYPE_CHECKING:
    from airflow.sdk import Context


class AnnounceRunOperator(TellOperator):
    """Post the run's first message; every later one of the run is a reply to it.

    It never fails the run: where Slack refuses or is away the task is *skipped*, and later messages go to the channel.
    """

    @on_shared_home
    def execute(self, context: Context) -> None:
        """Send recipe, documents, seed, what differs from a plain night, and who triggered it.

        Raises:
            AirflowSkipException: no token and no connection, or a fault of Slack's.
        """
        from slack_sdk.errors import SlackApiError

        about = self._about(context)
        place = self._place(about)
        message = started(about, who_triggered(context.get("dag_run")), again=context["ti"].try_number > 1)
        self._log(message)
        try:
            place.post(message)
        except faults() as error:
            why = error.response.get("error") if isinstance(error, SlackApiError) else type(error).__name__
            raise AirflowSkipException(f"not announced: {why}; the run's messages go to the channel") from None
        place.keep(told=False, failures=(), asks=None)
