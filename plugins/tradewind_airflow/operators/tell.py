"""What all tasks that tell Slack have in common."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from tradewind.errors import UserError
from tradewind.registry.store import Registry
from tradewind_airflow import macros
from tradewind_airflow.notifications.about import About, about_run
from tradewind_airflow.notifications.client import CONNECTION, SlackPlace, slack_is_configured
from tradewind_airflow.notifications.message import Message
from tradewind_airflow.notifications.settings import check_mention, mention_of
from tradewind_airflow.notifications.states import FailedTask, failed_tasks, task_states

if TYPE_CHECKING:
    from airflow.sdk import Context


class TellOperator(BaseOperator):
    """A task that tells Slack. Without a token or a connection the message is in its log, and it is *skipped*.

    Args:
        channel: where the run's first message goes (templated).
        run_dir: the run's folder (templated).
        slack_conn_id: Airflow connection that holds the token, unless `SLACK_TOKEN` is set (templated).
        base_url: another address of Slack's API, for a proxy.
        mention: whom a failure calls, as Slack writes it: `<@U012AB3CD>`, `<!here>`, `<!subteam^S012AB3CD>`; empty:
            nobody; None: as `TRADEWIND_SLACK_MENTION` says.
        models_dir: the pipeline's models (templated); None: those of the DAG.
    """

    template_fields: Sequence[str] = ("channel", "run_dir", "slack_conn_id", "models_dir")

    def __init__(
        self,
        *,
        channel: str = "{{ params.slack_channel or '#tradewind' }}",
        run_dir: str = "{{ macros.tradewind.run_dir(dag.dag_id, run_id) }}",
        slack_conn_id: str = CONNECTION,
        base_url: str | None = None,
        mention: str | None = None,
        models_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channel = channel
        self.run_dir = run_dir
        self.slack_conn_id = slack_conn_id
        self.base_url = base_url
        self.mention = check_mention(mention) if mention else mention
        self.models_dir = models_dir

    def _about(self, context: Context) -> About:
        ti = context["ti"]
        return about_run(ti.dag_id, ti.run_id, Path(self.run_dir), context.get("params"))

    def _champion(self, about: About) -> str | None:
        """The model in use; a damaged registry is told by the task that needs it."""
        with suppress(UserError):
            return Registry(Path(self.models_dir or macros.models_dir(about.dag_id))).champion_name()
        return None

    def _place(self, about: About) -> SlackPlace:
        return SlackPlace(
            Path(self.run_dir), channel=self.channel, slack_conn_id=self.slack_conn_id, base_url=self.base_url,
            mention=mention_of(self.mention), folders=about.folders,
        )  # fmt: skip

    def _log(self, *messages: Message) -> None:
        """What goes out stands in the task's log, too.

        Raises:
            AirflowSkipException: it cannot go out.
        """
        for message in messages:
            for line in message.as_text().splitlines():
                self.log.info("%s", line)
        if not slack_is_configured(self.slack_conn_id):
            raise AirflowSkipException(
                f"no SLACK_TOKEN and no connection '{self.slack_conn_id}': the message stands above, in this log"
            )

    def _failed(self, context: Context, states: dict[str, str], but: Sequence[str]) -> list[FailedTask]:
        ti = context["ti"]
        find = partial(failed_tasks, states, Path(self.run_dir), dag_id=ti.dag_id, run_id=ti.run_id)
        return find(order=task_order(context), but=(self.task_id, *but))

    @staticmethod
    def _states(context: Context) -> dict[str, str]:
        return task_states(context["ti"])


def task_order(context: Context) -> list[str]:
    """The DAG's tasks as its file has them."""
    dag = context.get("dag")
    return list(dag.task_dict) if dag is not None else []
