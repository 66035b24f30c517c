"""A run takes longer than it should."""

from __future__ import annotations

from tradewind.progress import Progress
from tradewind_airflow.notifications.about import About
from tradewind_airflow.notifications.links import action_link, run_link, run_name
from tradewind_airflow.notifications.message import Message, buttons, context, header, message, said, section
from tradewind_airflow.notifications.outcome import duration

_SILENT = 900.0
"""Seconds after which a training may be none any more: it failed, or hangs."""


def late(
    about: About,
    hours: float,
    *,
    progress: Progress | None = None,
    silent: float = 0.0,
    asks: str | None = None,
    approve_task_id: str = "approve",
    mention: str | None = None,
) -> Message:
    """What it is waiting for, as far as its folder says.

    Args:
        progress: of a training that is under way.
        silent: how many seconds ago it said so.
        asks: the version that waits for an approval.
    """
    what = f"not finished after {duration(hours * 3600)}"
    if asks:
        why = f"{said(asks)} still waits for an approval; the next run may have to wait for it."
    elif progress and silent > _SILENT:
        why = (
            f"{said(progress.stage)} was at step {progress.step} of {progress.max_steps}; "
            f"its last word came {duration(silent)} ago."
        )
    elif progress:
        left = f", about {duration(progress.seconds_left)} left" if progress.seconds_left else ""
        why = f"{said(progress.stage)} is at step {progress.step} of {progress.max_steps}{left}."
    else:
        why = "See the run's page for what it waits for."
    return message(
        f"{about.recipe}: {what}",
        header(f":hourglass: {about.recipe}: {what}"),
        section("\n".join([*([mention] if mention else []), why])),
        context(said(f"run {run_name(about.run_id)}")),
        buttons(
            ("Approve or reject", action_link(about.dag_id, about.run_id, approve_task_id) if asks else None),
            ("Open the run", run_link(about.dag_id, about.run_id)),
        ),
    )
