"""Ends of a run that take two lines: nothing new, or nothing scored."""

from __future__ import annotations

from collections.abc import Sequence

from tradewind_airflow.notifications.about import About
from tradewind_airflow.notifications.links import run_link, run_name
from tradewind_airflow.notifications.message import Message, bullets, buttons, context, message, said, section


def nothing_new(about: About, since: str, champion: str | None) -> Message:
    """Documents and settings are those of an earlier run, so its model stands.

    Args:
        since: that run.
        champion: the model in use.
    """
    stays = f" {champion} stays champion." if champion else ""
    return message(
        f"{about.recipe}: nothing new",
        section(
            f":zzz: *{said(about.recipe)}: nothing new* since run {said(run_name(since))}: same documents, same "
            f"settings.{said(stays)}"
        ),
        context(said(f"run {run_name(about.run_id)}")),
        buttons(("Open the run", run_link(about.dag_id, about.run_id))),
    )


def nothing_scored(about: About, reasons: Sequence[str]) -> Message:
    """The run ended well, but without scores: what was left out, and why."""
    return message(
        f"{about.recipe}: no scores",
        section(f":fast_forward: *{said(about.recipe)}: no scores*\n{bullets(reasons, 10, 250)}"),
        context(said(f"run {run_name(about.run_id)}")),
        buttons(("Open the run", run_link(about.dag_id, about.run_id))),
    )
