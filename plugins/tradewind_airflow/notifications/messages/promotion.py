"""What became of the version that waited for an approval."""

from __future__ import annotations

from tradewind_airflow.notifications.about import About
from tradewind_airflow.notifications.answer import Answer
from tradewind_airflow.notifications.links import run_link, run_name
from tradewind_airflow.notifications.message import Message, buttons, context, message, said, section


def promoted(about: About, news: str, answer: Answer | None) -> Message:
    """It is champion.

    Args:
        news: as PromoteModelOperator says it.
    """
    by = f", approved by {answer.who}" if answer and answer.who else ", approved"
    return _told(about, ":trophy:", f"{news}{by}")


def refused(about: About, version: str, champion: str | None, answer: Answer | None) -> Message:
    """It stays a version: somebody said no, or nobody said anything."""
    stays = f"{champion} stays champion" if champion else "there is no champion"
    if answer is None:
        what = "was not approved"
    elif answer.who is None:
        what = "was not approved in time"
    else:
        what = f"was rejected by {answer.who}"
    return _told(about, ":no_entry_sign:", f"{version} {what}; {stays}")


def _told(about: About, mark: str, news: str) -> Message:
    return message(
        f"{about.recipe}: {news}",
        section(f"{mark} *{said(news)}*"),
        context(said(f"{about.recipe}, run {run_name(about.run_id)}")),
        buttons(("Open the run", run_link(about.dag_id, about.run_id))),
    )
