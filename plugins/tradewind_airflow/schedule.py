"""When a pipeline runs by itself, as the deployment's environment says."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

import pendulum
from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable
from airflow.sdk.exceptions import AirflowTimetableInvalid
from pendulum.tz.exceptions import InvalidTimezone

from tradewind.errors import UserError
from tradewind_airflow.timetable import EndingCronTimetable

SCHEDULE, TIMEZONE = "TRADEWIND_SCHEDULE", "TRADEWIND_TIMEZONE"
START, RUNS = "TRADEWIND_START_DATE", "TRADEWIND_MAX_RUNS"
_NONE = "none"
_MOST_RUNS = 1000
_YEARS = range(2000, 3000)


def schedule(asset: Asset, *, cron: str, timezone: str) -> dict[str, Any]:
    """A DAG's `schedule` and `start_date`: at the times of a cron expression, and at each event of `asset`.

    `TRADEWIND_SCHEDULE` (a cron expression; `none`: at events only) and `TRADEWIND_TIMEZONE` replace the arguments.
    From `TRADEWIND_START_DATE` on; after `TRADEWIND_MAX_RUNS` times of the clock only events are left.

    Raises:
        UserError: one line that names the variable.
    """
    cron = _stated(SCHEDULE) or cron
    zone = time_zone(_stated(TIMEZONE) or timezone, TIMEZONE)
    start, runs = _start(zone), _runs()
    if runs is not None and start is None:
        raise UserError(f"{RUNS}: is counted from {START}, which is not set; set it to a date such as 2026-12-01")
    dates = {} if start is None else {"start_date": start}
    if cron == _NONE:
        if runs is not None:
            raise UserError(f"{RUNS}: counts the times of {SCHEDULE}, which is {_NONE}; unset one of them")
        return dates | {"schedule": [asset]}
    check_cron(cron, SCHEDULE, f", or {_NONE}")
    # No time at all: else Airflow makes up for a slot that was missed by less than a tenth of the time between two.
    clock: Any = CronTriggerTimetable(cron, timezone=zone, run_immediately=timedelta())
    if start is not None and runs is not None:
        clock = EndingCronTimetable.counted(cron, timezone=zone, start=start, runs=runs)
    return dates | {"schedule": AssetOrTimeSchedule(timetable=clock, assets=[asset])}


def _stated(name: str) -> str | None:
    return (os.environ.get(name) or "").strip() or None


def check_cron(cron: str, place: str, otherwise: str = "") -> None:
    """UserError, beginning with `place`, where `cron` is no cron expression or never comes."""
    clock = CronTriggerTimetable(cron, timezone="UTC")  # which knows @daily and the like
    try:
        clock.validate()
        fields = clock.expression.split()
        # R is another minute each time that somebody asks.
        is_cron = len(fields) == 5 and not any(field[0] in "rR" for field in fields)
    except AirflowTimetableInvalid:
        is_cron = False
    if not is_cron:
        raise UserError(f"{place}: '{cron}' is no cron expression; write five fields such as '0 2 * * *'{otherwise}")
    try:
        EndingCronTimetable.counted(cron, timezone="UTC", start=pendulum.now("UTC"), runs=1)
    except ValueError:
        raise UserError(f"{place}: '{cron}' never comes; write a day that its months have{otherwise}") from None


def time_zone(name: str, place: str) -> Any:
    """UserError, beginning with `place`, where `name` is no time zone."""
    try:
        return pendulum.timezone(name)
    except (InvalidTimezone, ValueError, OSError):
        raise UserError(f"{place}: '{name}' is no time zone; write one such as Asia/Seoul or UTC") from None


def _start(zone: Any) -> pendulum.DateTime | None:
    stated = _stated(START)
    if stated is None:
        return None
    try:
        start = pendulum.instance(datetime.fromisoformat(stated), tz=zone)
    except ValueError:
        start = None
    if start is None or start.year not in _YEARS:
        raise UserError(f"{START}: '{stated}' is no date; write one such as 2026-12-01 or 2026-12-01T02:00")
    return start


def _runs() -> int | None:
    stated = _stated(RUNS)
    if stated is None:
        return None
    if not (stated.isascii() and stated.isdigit() and 1 <= int(stated) <= _MOST_RUNS):
        raise UserError(f"{RUNS}: '{stated}' is not a whole number from 1 to {_MOST_RUNS}")
    return int(stated)
