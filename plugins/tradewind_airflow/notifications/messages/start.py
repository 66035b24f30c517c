"""A run has begun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tradewind_airflow.notifications.about import About
from tradewind_airflow.notifications.links import run_link, run_name
from tradewind_airflow.notifications.message import Message, buttons, context, message, said, section

# What stands in the message's first line, or in a part of its own.
_TOLD = frozenset({"recipe", "data", "seed", "skip", "force", "slack_channel"})


def started(about: About, who: str, *, again: bool = False) -> Message:
    """Recipe, documents, seed, and what differs from a plain night.

    Args:
        who: who or what triggered it.
        again: whether the run was cleared.
    """
    word = "started again" if again else "started"
    settings = about.settings
    what = f"documents `{said(about.data_name)}`, seed {said(about.seed)}"
    changed = _changed(settings.params if settings else {})
    skip = f"skip: {', '.join(settings.skip)}" if settings and settings.skip else None
    force = "force: nothing is reused" if settings and settings.force else None
    return message(
        f"{about.recipe}: run {word}",
        section(f":arrow_forward: *{said(about.recipe)}* {word}: {what}"),
        context(*(said(part) for part in (changed, skip, force) if part)),
        context(said(f"{who}, run {run_name(about.run_id)}")),
        buttons(("Open the run", run_link(about.dag_id, about.run_id))),
    )


def who_triggered(dag_run: Any) -> str:
    """A person, the schedule, or documents."""
    kind = str(getattr(dag_run, "run_type", None) or "")
    user = getattr(dag_run, "triggering_user_name", None)
    if kind == "scheduled":
        return "by schedule"
    if kind == "asset_triggered":
        events = getattr(dag_run, "consumed_asset_events", None) or []
        names = dict.fromkeys(str(event.asset.name) for event in events if getattr(event, "asset", None))
        return f"by new data ({', '.join(names)})" if names else "by new data"
    if kind == "backfill":
        return "by a backfill"
    return f"by {user}" if user else "by hand"


def _changed(params: Mapping[str, Any]) -> str | None:
    """The form's own values: what is left empty is as the recipe says."""
    found = [
        f"{name.replace('_', ' ')} {value}" for name, value in params.items() if name not in _TOLD and value is not None
    ]
    return f"changed: {', '.join(found)}" if found else None
