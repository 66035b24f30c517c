"""The run's report, and the tasks that tell Slack of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from tradewind.errors import UserError
from tradewind.reporting.contract import Report, read_report
from tradewind.reporting.table import text_table
from tradewind.run_dir import RunDir
from tradewind.store.mirror import complete
from tradewind_airflow.notifications.about import About
from tradewind_airflow.notifications.answer import read_answer
from tradewind_airflow.notifications.client import SlackPlace, faults, told_to_task
from tradewind_airflow.notifications.message import Message
from tradewind_airflow.notifications.messages.details import details
from tradewind_airflow.notifications.messages.failure import failed
from tradewind_airflow.notifications.messages.promotion import promoted, refused
from tradewind_airflow.notifications.messages.result import approval_of, result
from tradewind_airflow.notifications.messages.short import nothing_new, nothing_scored
from tradewind_airflow.notifications.outcome import Outcome
from tradewind_airflow.notifications.settings import examples_wanted, mention_of
from tradewind_airflow.notifications.states import not_run, returned
from tradewind_airflow.operators.stage import StageOperator
from tradewind_airflow.operators.tell import TellOperator, task_order
from tradewind_airflow.shared import on_shared_home

if TYPE_CHECKING:
    from airflow.sdk import Context

PICTURE = "scores.png"


class ReportOperator(StageOperator):
    """Publish `report/report.json`, `report.md`, `report.html` and `scores.png`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(stage="report", **kwargs)


class NotifyRunOperator(TellOperator):
    """Tell how a run ended: its scores, what failed, or that there is nothing new. Whatever happened before it.

    Its trigger rule is to be `all_done`. A run ends as its DAG's leaves do: another one has to fail with the stages.

    Args:
        registered: what RegisterModelOperator returned (templated): whether the model is champion now, or waits.
        register_task_id: that operator's task.
        examples: whether answers of the models are quoted; None: as `TRADEWIND_SLACK_EXAMPLES` says.
        approve_task_id: the task that asks for an approval.
        tell_task_ids: other tasks that only tell, or mark the end; neither is a stage that failed or did not run.
        done_without: tasks whose failing is none of the run's where another succeeded, by that one's id: a trial of a
            sweep, and the choice among the others.
    """

    template_fields: Sequence[str] = (*TellOperator.template_fields, "registered")

    def __init__(
        self,
        *,
        registered: Any = None,
        register_task_id: str = "register",
        examples: bool | None = None,
        approve_task_id: str = "approve",
        tell_task_ids: Sequence[str] = ("announce", "tell_promotion", "end"),
        done_without: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.registered = registered
        self.register_task_id = register_task_id
        self.examples = examples
        self.approve_task_id = approve_task_id
        self.tell_task_ids = tuple(tell_task_ids)
        self.done_without = dict(done_without or {})

    @on_shared_home
    def execute(self, context: Context) -> None:
        """Send, or say in the log what would have been sent.

        Raises:
            AirflowSkipException: no token and no connection.
            AirflowFailException: Slack refuses for a reason that a retry does not mend.
            AirflowException: Slack could not be reached, or still limits the rate after the retries.
        """
        about, states = self._about(context), self._states(context)
        place = self._place(about)
        place.keep(told=False, failures=(), asks=None)
        waiting = [task_id for task_id in not_run(states, task_order(context)) if task_id not in self.tell_task_ids]
        forgiven = [task_id for task_id, after in self.done_without.items() if states.get(after) == "success"]
        tasks = self._failed(context, states, (*self.tell_task_ids, *forgiven))
        spared = tuple(task.name for task in self._failed(context, states, ()) if task.task_id in forgiven)
        if tasks or waiting:  # the latter alone where a task that tells has others after it
            tasks = tasks or self._failed(context, states, ())
            self._send(place, failed(about, tasks, waiting=waiting, mention=mention_of(self.mention)))
            place.keep(told=True, failures=(*spared, *(task.name for task in tasks)))
            return
        outcome = Outcome.read(Path(self.run_dir), about.job_id)
        registered = returned(self.registered, states.get(self.register_task_id))
        if (since := outcome.nothing_new_since) and not registered:
            self._send(place, nothing_new(about, since, self._champion(about)))
        elif (report := self._report(outcome)) is None:
            reasons = [f"{found.stage}: {found.reason}" for found in outcome.results if found.reason]
            self._send(place, nothing_scored(about, reasons or ["no stage left a result"]))
        else:
            self._send_result(context, place, about, outcome, report, registered=registered or {})
        place.keep(told=True, failures=spared)

    def _send_result(
        self,
        context: Context,
        place: SlackPlace,
        about: About,
        outcome: Outcome,
        report: Report,
        *,
        registered: dict[str, Any],
    ) -> None:
        approval = approval_of(registered, self.approve_task_id, self._timeout(context))
        for line in text_table(report.scores).splitlines():
            self.log.info("%s", line)
        more = details(report, outcome, examples=examples_wanted(self.examples))
        first = result(report, about, outcome, promotion=registered.get("said"), approval=approval)
        self._send(place, first, more)
        place.keep(asks=approval.version if approval else None)
        with suppress(*faults()):  # the verdict is out; a retry would tell it twice
            place.post(more)
        seen = f"Scores by kind of held-out question, with intervals: {report.scores.verdict}"
        place.share(Path(self.run_dir) / "report" / PICTURE, f"{report.recipe}: {report.scores.verdict}", seen)

    def _send(self, place: SlackPlace, message: Message, *logged: Message) -> None:
        self._log(message, *logged)
        with told_to_task(place.thread.channel if place.thread else self.channel):
            place.post(message, broadcast=True)

    def _report(self, outcome: Outcome) -> Report | None:
        """The report that this run published; None where nothing was scored."""
        if not any(found.stage == "report" and "report.json" in found.outputs for found in outcome.results):
            return None
        path = RunDir(Path(self.run_dir)).published("report") / "report.json"
        try:
            complete(path.parent)
            report = read_report(path)
        except UserError as error:
            raise AirflowFailException(str(error)) from error
        self.log.info("report: %s", path.with_suffix(".html"))
        return report

    def _timeout(self, context: Context) -> timedelta | None:
        dag = context.get("dag")
        task = dag.task_dict.get(self.approve_task_id) if dag is not None else None
        return getattr(task, "response_timeout", None)


class NotifyPromotionOperator(TellOperator):
    """Tell what became of the version that waited for an approval; *skipped* where none did.

    Keep it from being directly after the task that asks, which skips what is; its trigger rule is NotifyRunOperator's.

    Args:
        registered: what RegisterModelOperator returned (templated).
        register_task_id: that operator's task.
        promoted: what PromoteModelOperator returned (templated).
        promote_task_ids: the tasks whose failing it tells, PromoteModelOperator's the last.
    """

    template_fields: Sequence[str] = (*TellOperator.template_fields, "registered", "promoted")

    def __init__(
        self,
        *,
        registered: Any,
        promoted: Any,
        register_task_id: str = "register",
        promote_task_ids: Sequence[str] = ("approve", "promote"),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.registered = registered
        self.promoted = promoted
        self.register_task_id = register_task_id
        self.promote_task_ids = tuple(promote_task_ids)

    @on_shared_home
    def execute(self, context: Context) -> None:
        """Send who decided what.

        Raises:
            AirflowSkipException: nobody was asked; or no token and no connection.
            AirflowFailException, AirflowException: as NotifyRunOperator.
        """
        states = self._states(context)
        registered = returned(self.registered, states.get(self.register_task_id))
        if not (registered or {}).get("asks"):
            raise AirflowSkipException("nobody was asked to approve a version")
        now_champion = returned(self.promoted, states.get(self.promote_task_ids[-1]))
        about, answer = self._about(context), read_answer(Path(self.run_dir))
        place = self._place(about)
        tasks = [task for task in self._failed(context, states, ()) if task.task_id in self.promote_task_ids]
        if tasks:
            message = failed(about, tasks, mention=mention_of(self.mention))
        elif now_champion:
            message = promoted(about, str(now_champion["said"]), answer)
        else:
            message = refused(about, str(registered["version"]), self._champion(about), answer)
        self._log(message)
        with told_to_task(place.thread.channel if place.thread else self.channel):
            place.post(message, broadcast=True)
        told = place.thread.failures if place.thread else ()
        place.keep(asks=None, failures=(*told, *(task.name for task in tasks)))
