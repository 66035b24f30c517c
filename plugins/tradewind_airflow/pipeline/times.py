"""When a pipeline runs, as its YAML says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pendulum
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable

from tradewind.errors import UserError
from tradewind.pipeline.read import Document
from tradewind.yaml_file import Key
from tradewind_airflow.assets import asset_of
from tradewind_airflow.schedule import check_cron, time_zone
from tradewind_airflow.timetable import EndingCronTimetable


def times(document: Document) -> dict[str, Any]:
    """A DAG's `schedule` and `start_date`; UserError with the line where a cron or a zone is none."""
    stated = document.pipeline.schedule
    if stated is None:
        return {"schedule": None}
    zone = _told(document, ("schedule", "timezone"), lambda: time_zone(stated.timezone, "schedule.timezone"))
    assets = [asset_of(name, document.pipeline.name) for name in stated.assets]
    start = None
    if stated.start is not None:
        moment = stated.start if isinstance(stated.start, datetime) else datetime(*stated.start.timetuple()[:3])
        start = pendulum.instance(moment, tz=zone)
    dates = {} if start is None else {"start_date": start}
    if stated.cron is None:
        return dates | {"schedule": assets}
    cron = stated.cron
    _told(document, ("schedule", "cron"), lambda: check_cron(cron, "schedule.cron"))
    # No time at all: else Airflow makes up for a slot that was missed by less than a tenth of the time between two.
    clock: Any = CronTriggerTimetable(cron, timezone=zone, run_immediately=timedelta())
    if stated.max_runs is not None and start is not None:
        clock = EndingCronTimetable.counted(cron, timezone=zone, start=start, runs=stated.max_runs)
    return dates | {"schedule": AssetOrTimeSchedule(timetable=clock, assets=assets) if assets else clock}


def _told(document: Document, key: Key, check: Any) -> Any:
    try:
        return check()
    except UserError as error:
        raise document.file.fault(key, str(error)) from None
