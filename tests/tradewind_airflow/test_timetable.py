"""A clock that ends after so many times, by Airflow's own reckoning."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pendulum
import pytest

from tradewind_airflow.timetable import EndingCronTimetable


@pytest.fixture
def scheduled(airflow_database: None) -> Any:
    """The DAG that the scheduler reads from its database, with this clock."""
    from airflow.sdk import DAG, Asset, AssetOrTimeSchedule
    from airflow.serialization.serialized_objects import DagSerialization

    def make(clock: EndingCronTimetable, start: pendulum.DateTime) -> Any:
        schedule = AssetOrTimeSchedule(timetable=clock, assets=[Asset("documents")])  # type: ignore[arg-type]
        dag = DAG("nights", schedule=schedule, start_date=start, catchup=False)
        return DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))

    return make


@pytest.mark.parametrize(
    ("cron", "zone", "start", "runs"),
    [
        ("0 2 * * *", "Asia/Seoul", "2026-12-01", 5),
        ("0 2 * * *", "UTC", "2026-12-01T02:00", 1),  # the start itself counts
        ("30 2 * * *", "Europe/Berlin", "2027-03-26", 4),  # on 28 March there is no half past two
        ("30 2 * * *", "Europe/Berlin", "2026-10-23", 4),  # on 25 October there are two
        ("30 * * * *", "Europe/Berlin", "2026-10-25T00:00", 6),  # hourly over the same night
        ("0 2 * * 1-5", "America/New_York", "2027-03-12", 260),
    ],
)
def test_airflow_plans_exactly_so_many_runs(scheduled: Any, cron: str, zone: str, start: str, runs: int) -> None:
    begin = pendulum.parse(start, tz=zone)
    assert isinstance(begin, pendulum.DateTime)
    clock = EndingCronTimetable.counted(cron, timezone=zone, start=begin, runs=runs)
    planned = [
        info.logical_date for info in scheduled(clock, begin).iter_dagrun_infos_between(begin, begin.add(years=3))
    ]
    assert len(planned) == runs
    assert planned[0] >= begin
    assert planned[-1] == clock.until
    assert len(set(planned)) == runs


def test_the_scheduler_plans_none_after_the_last_and_none_for_nights_it_was_down(scheduled: Any) -> None:
    start = pendulum.now("UTC").subtract(days=10).start_of("day")
    clock = EndingCronTimetable.counted("0 2 * * *", timezone="UTC", start=start, runs=5)
    assert scheduled(clock, start).next_dagrun_info(last_automated_run_info=None) is None  # the last was 5 days ago
    open_ended = EndingCronTimetable.counted("0 2 * * *", timezone="UTC", start=start, runs=50)
    planned = scheduled(open_ended, start).next_dagrun_info(last_automated_run_info=None)
    assert planned.run_after > pendulum.now("UTC") - timedelta(days=1)


def test_a_dag_without_an_end_date_lets_a_run_by_hand_go_on_after_the_last_night(scheduled: Any) -> None:
    """Airflow holds back every task of a run whose logical date is later than its DAG's `end_date`."""
    start = pendulum.datetime(2020, 1, 1)
    dag = scheduled(EndingCronTimetable.counted("0 2 * * *", timezone="UTC", start=start, runs=3), start)
    assert dag.end_date is None
    assert "until 2020-01-03 02:00 UTC" in dag.timetable.summary
