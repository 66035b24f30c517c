"""Nights that end by themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable


class EndingCronTimetable(CronTriggerTimetable):
    """Airflow's CronTriggerTimetable up to a last time, and no run by itself after it.

    A DAG's own `end_date` would do the same, but a run that somebody triggers by hand after that date then has no
    tasks at all, and is a success at once.
    """

    def __init__(self, cron: str, *, timezone: str | pendulum.Timezone, until: pendulum.DateTime) -> None:
        """`until` is the last time at which a run may start."""
        super().__init__(cron, timezone=timezone)
        self.until = until

    @classmethod
    def counted(
        cls, cron: str, *, timezone: str | pendulum.Timezone, start: pendulum.DateTime, runs: int
    ) -> EndingCronTimetable:
        """So many times from `start` on."""
        every = CronTriggerTimetable(cron, timezone=timezone)
        restriction = TimeRestriction(earliest=start, latest=None, catchup=True)
        before: DataInterval | None = None
        for _ in range(runs):
            slot = every.next_dagrun_info(last_automated_data_interval=before, restriction=restriction)
            if slot is None:  # without an end there always is a next
                break
            before = slot.data_interval
        return cls(cron, timezone=timezone, until=before.end if before else start)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Airflow's own, within `until`."""
        latest = self.until if restriction.latest is None else min(self.until, restriction.latest)
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction._replace(latest=latest)
        )

    def serialize(self) -> dict[str, Any]:
        """For Airflow's database."""
        kept = super().serialize()
        return {name: kept[name] for name in ("expression", "timezone")} | {"until": self.until.isoformat()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> EndingCronTimetable:
        """What `serialize` kept."""
        until = pendulum.instance(datetime.fromisoformat(data["until"])).in_timezone("UTC")
        return cls(data["expression"], timezone=pendulum.timezone(data["timezone"]), until=until)

    @property
    def summary(self) -> str:
        """As the page shows it."""
        return f"{super().summary} until {self.until:%Y-%m-%d %H:%M} UTC"
