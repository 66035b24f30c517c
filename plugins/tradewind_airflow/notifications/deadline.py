"""Tells of a run that takes too long.

Airflow's scheduler notices the deadline and has an executor run `tell_late`, so in a worker: that has the token
and sees the runs' folder, which the triggerer need not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DeadlineAlert, DeadlineReference, SyncCallback  # type: ignore[attr-defined]  # not in its stub
from pydantic import ValidationError

from tradewind.progress import PROGRESS, Progress
from tradewind_airflow.macros import run_dir
from tradewind_airflow.notifications.about import about_run
from tradewind_airflow.notifications.client import CONNECTION, SlackPlace, slack_is_configured
from tradewind_airflow.notifications.messages.late import late
from tradewind_airflow.notifications.settings import deadline_hours, mention_of
from tradewind_airflow.shared import refresh_run

log = logging.getLogger(__name__)


def deadline_alert(
    *,
    hours: float | None = None,
    channel: str = "#tradewind",
    slack_conn_id: str = CONNECTION,
    base_url: str | None = None,
) -> DeadlineAlert | None:
    """A DAG's `deadline`, counted from when the run was queued; None where none is set.

    Args:
        hours: after how long a run is late; None: as `TRADEWIND_DEADLINE_HOURS` says.
        channel: where the message goes if the run has no thread and its form named none.
    """
    hours = deadline_hours() if hours is None else hours
    if hours is None:
        return None
    kwargs = {"hours": hours, "channel": channel, "slack_conn_id": slack_conn_id, "base_url": base_url}
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=hours),
        callback=SyncCallback(tell_late, kwargs=kwargs),
        name="tradewind: takes too long",
    )


def tell_late(
    context: Mapping[str, Any], hours: float, channel: str, slack_conn_id: str, base_url: str | None = None
) -> None:
    """Send what the run waits for; nothing for one that has ended, which Airflow calls late if it failed in time.

    Args:
        context: Airflow's: `dag_run` as the REST API gives it, and `deadline`.
    """
    run = context["dag_run"]
    if run["state"] not in ("queued", "running"):
        log.info("the run has ended: %s", run["state"])
        return
    if not slack_is_configured(slack_conn_id):
        log.info("no Slack: run %s is not finished after %s h", run["dag_run_id"], hours)
        return
    folder = Path(run_dir(run["dag_id"], run["dag_run_id"]))
    refresh_run(folder)
    params = run.get("conf") or {}
    about, mention = about_run(run["dag_id"], run["dag_run_id"], folder, params), mention_of(None)
    place = SlackPlace(
        folder, channel=params.get("slack_channel") or channel, slack_conn_id=slack_conn_id, base_url=base_url,
        mention=mention, folders=about.folders,
    )  # fmt: skip
    asks = place.thread.asks if place.thread else None
    progress, silent = _progress(folder)
    place.post(late(about, hours, progress=progress, silent=silent, asks=asks, mention=mention), broadcast=True)


def _progress(folder: Path) -> tuple[Progress | None, float]:
    """Of the training that wrote last, and how many seconds ago that was."""
    found: list[tuple[float, Progress]] = []
    for file in folder.glob(f".*.work/{PROGRESS}"):
        with suppress(OSError, ValidationError):  # published since, or damaged
            found.append((file.stat().st_mtime, Progress.model_validate_json(file.read_bytes())))
    written_at, progress = max(found, key=lambda entry: entry[0], default=(0.0, None))
    return progress, time.time() - written_at
