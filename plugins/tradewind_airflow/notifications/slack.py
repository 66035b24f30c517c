"""The safety net: tells of a failed run what no task of it could tell any more."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from tradewind_airflow.macros import run_dir
from tradewind_airflow.notifications.about import about_run
from tradewind_airflow.notifications.client import CONNECTION, SlackPlace, slack_is_configured
from tradewind_airflow.notifications.messages.failure import failed
from tradewind_airflow.notifications.settings import check_mention, mention_of
from tradewind_airflow.notifications.states import FailedTask, failed_tasks, not_run, task_states
from tradewind_airflow.notifications.thread import Thread
from tradewind_airflow.shared import refresh_run

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


class SlackFailureNotifier(BaseNotifier):
    """A DAG's `on_failure_callback`: tells what NotifyRunOperator has not told; without Slack it does nothing.

    It runs in the DAG processor. Where that process does not see the runs' folder, it goes by the tasks' states
    and writes to the channel.

    Args:
        channel: where the message goes if the run has no thread (templated).
        notify_task_id: the task that tells how a run ended.
        tell_task_ids: other tasks that only tell, or mark the end.
        mention: whom a failure calls; see the operator.
    """

    template_fields: Sequence[str] = ("channel", "slack_conn_id")

    def __init__(
        self,
        *,
        channel: str = "#tradewind",
        slack_conn_id: str = CONNECTION,
        base_url: str | None = None,
        notify_task_id: str = "notify",
        tell_task_ids: Sequence[str] = ("announce", "tell_promotion", "end"),
        mention: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channel = channel
        self.slack_conn_id = slack_conn_id
        self.base_url = base_url
        self.notify_task_id = notify_task_id
        self.tell_task_ids = tuple(tell_task_ids)
        self.mention = check_mention(mention) if mention else mention

    def __call__(self, *args: Any) -> None:
        """Send for one run. Airflow renders templates in place: the next run would get this one's channel."""
        super(SlackFailureNotifier, copy(self)).__call__(*args)

    def notify(self, context: Context) -> None:
        """Send which task failed and why, as far as that is known here."""
        if not slack_is_configured(self.slack_conn_id):
            return
        dag, ti = context.get("dag"), context.get("ti")
        dag_id, run_id = _ids(context)
        order = list(dag.task_dict) if dag is not None else []
        folder, states = Path(run_dir(dag_id, run_id)), _states(ti)
        refresh_run(folder)
        but = (self.notify_task_id, *self.tell_task_ids)
        tasks = failed_tasks(states, folder, dag_id=dag_id, run_id=run_id, order=order, but=but)
        mention, reason = mention_of(self.mention), str(context.get("reason") or "")
        about = about_run(dag_id, run_id, folder, context.get("params"))
        place = SlackPlace(
            folder, channel=self.channel, slack_conn_id=self.slack_conn_id, base_url=self.base_url, mention=mention,
            folders=about.folders,
        )  # fmt: skip
        if _is_told(place.thread, tasks, states.get(self.notify_task_id), reason):
            log.info("the failure was told by %s", self.notify_task_id)
            return
        if place.thread is not None and place.thread.told and states.get(self.notify_task_id) == "success":
            tasks = [task for task in tasks if task.name not in place.thread.failures]  # the rest is known
        waiting = [task_id for task_id in not_run(states, order) if task_id not in but]
        place.post(failed(about, tasks, waiting=waiting, mention=mention, reason=reason), broadcast=True)
        known = place.thread.failures if place.thread else ()
        place.keep(told=True, failures=tuple(dict.fromkeys((*known, *(task.name for task in tasks)))))


def _is_told(thread: Thread | None, tasks: Sequence[FailedTask], notify: str | None, reason: str) -> bool:
    """Whether `notify` has said all of it; a note of an earlier try of it counts for nothing."""
    if reason == "timed_out" or notify not in ("success", None):
        return False
    if thread is None:
        return notify == "success"
    return thread.told and {task.name for task in tasks} <= set(thread.failures)


def _ids(context: Context) -> tuple[str, str]:
    ti, dag = context.get("ti"), context.get("dag")
    dag_id = ti.dag_id if ti is not None else getattr(dag, "dag_id", "unknown")
    run_id = context.get("run_id") or getattr(context.get("dag_run"), "run_id", None)
    return str(dag_id), str(run_id or "unknown")


def _states(ti: Any) -> Mapping[str, str]:
    """The run's states, where Airflow can be asked: a message with less is better than none."""
    try:
        return task_states(ti) if ti is not None else {}
    except Exception as error:  # noqa: BLE001 - whatever hinders it
        log.warning("the tasks' states are not known: %s: %s", type(error).__name__, error)
        return {}
