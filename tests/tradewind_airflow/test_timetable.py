"""A clock that ends after so many times, by Airflow's own reckoning."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pendulum
import pytest

from scheduled import ScheduledRun
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
    infos = scheduled(clock, begin).iter_dagrun_infos_between(begin, begin.add(years=3))
    planned = [info.logical_date for info in infos]
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


def test_a_run_by_hand_goes_on_after_the_last_night(airflow_database: None) -> None:
    """Of a run that is later than its DAG's `end_date` Airflow leaves out every task, and calls it a success."""
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG

    start = pendulum.datetime(2020, 1, 1)
    clock = EndingCronTimetable.counted("0 2 * * *", timezone="UTC", start=start, runs=3)
    with DAG("ours", schedule=clock, start_date=start) as ours:
        EmptyOperator(task_id="work")
    with DAG("theirs", schedule="0 2 * * *", start_date=start, end_date=clock.until) as theirs:
        EmptyOperator(task_id="work")
    run, empty = ScheduledRun(ours, "by_hand"), ScheduledRun(theirs, "by_hand")
    assert (run.go_on({}), run.states()) == ("success", {"work": "success"})
    assert (empty.go_on({}), empty.states()) == ("success", {})
    assert "until 2020-01-03 02:00 UTC" in clock.summary
