"""When the pipeline runs by itself, as its environment says."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest
from airflow.sdk import Asset, AssetOrTimeSchedule

from tradewind.errors import UserError
from tradewind_airflow.schedule import schedule

DOCUMENTS = Asset("documents")


def _schedule(monkeypatch: pytest.MonkeyPatch, **stated: str) -> dict[str, Any]:
    for name, value in stated.items():
        monkeypatch.setenv(f"TRADEWIND_{name}", value)
    return schedule(DOCUMENTS, cron="0 2 * * *", timezone="Asia/Seoul")


def test_it_is_nightly_and_at_each_change_of_the_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _schedule(monkeypatch)
    assert set(found) == {"schedule"}
    when: Any = found["schedule"]
    assert type(when).__name__ == AssetOrTimeSchedule.__name__
    assert (when.timetable.expression, when.timetable.timezone.name) == ("0 2 * * *", "Asia/Seoul")
    assert list(when.asset_condition.objects) == [DOCUMENTS]


def test_unpaused_shortly_after_its_time_it_waits_for_the_next(
    monkeypatch: pytest.MonkeyPatch, airflow_database: None
) -> None:
    """So that a run by hand does not have to wait for a whole night's, which nobody asked for."""
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    now = pendulum.now("UTC")
    missed = now.subtract(minutes=2)
    found = _schedule(monkeypatch, SCHEDULE=f"{missed.minute} {missed.hour} * * *", TIMEZONE="UTC")
    kept = DagSerialization.to_dict(DAG("nightly", catchup=False, **found))
    planned = DagSerialization.from_dict(kept).next_dagrun_info(last_automated_run_info=None)
    assert planned is not None
    assert planned.run_after > now


def test_the_deployment_names_another_time_a_start_and_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _schedule(
        monkeypatch, SCHEDULE="30 3 * * 1", TIMEZONE="Europe/Berlin", START_DATE="2026-12-01", MAX_RUNS="2"
    )
    assert found["start_date"] == pendulum.datetime(2026, 12, 1, tz="Europe/Berlin")
    clock = found["schedule"].timetable
    assert clock.until == pendulum.datetime(2026, 12, 14, 3, 30, tz="Europe/Berlin")


def test_none_leaves_the_documents_changes_and_the_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _schedule(monkeypatch, SCHEDULE="none") == {"schedule": [DOCUMENTS]}


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({"SCHEDULE": "0 2 * *"}, "TRADEWIND_SCHEDULE: '0 2 * *' is no cron expression"),
        ({"SCHEDULE": "R 2 * * *"}, "TRADEWIND_SCHEDULE: 'R 2 * * *' is no cron expression"),  # a minute by chance
        ({"SCHEDULE": "0 2 31 2 *"}, "TRADEWIND_SCHEDULE: '0 2 31 2 *' never comes"),
        ({"START_DATE": "9999-12-31", "MAX_RUNS": "5"}, "TRADEWIND_START_DATE: '9999-12-31' is no date"),
        ({"START_DATE": "0001-01-01"}, "TRADEWIND_START_DATE: '0001-01-01' is no date"),
        ({"SCHEDULE": "0 2 * * * *"}, "TRADEWIND_SCHEDULE: '0 2 * * * *' is no cron expression"),
        ({"SCHEDULE": "61 2 * * *"}, "TRADEWIND_SCHEDULE: '61 2 * * *' is no cron expression"),
        ({"SCHEDULE": "nightly"}, "TRADEWIND_SCHEDULE: 'nightly' is no cron expression"),
        ({"TIMEZONE": "Mars/Olympus"}, "TRADEWIND_TIMEZONE: 'Mars/Olympus' is no time zone"),
        ({"START_DATE": "tomorrow"}, "TRADEWIND_START_DATE: 'tomorrow' is no date"),
        ({"MAX_RUNS": "3"}, "TRADEWIND_MAX_RUNS: is counted from TRADEWIND_START_DATE, which is not set"),
        ({"MAX_RUNS": "0", "START_DATE": "2026-12-01"}, "TRADEWIND_MAX_RUNS: '0' is not a whole number from 1"),
        ({"MAX_RUNS": "2.5", "START_DATE": "2026-12-01"}, "TRADEWIND_MAX_RUNS: '2.5' is not a whole number from 1"),
        (
            {"MAX_RUNS": "3", "START_DATE": "2026-12-01", "SCHEDULE": "none"},
            "TRADEWIND_MAX_RUNS: counts the times of TRADEWIND_SCHEDULE, which is none",
        ),
    ],
)
def test_a_bad_value_is_one_line_that_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, stated: dict[str, str], told: str
) -> None:
    with pytest.raises(UserError) as caught:
        _schedule(monkeypatch, **stated)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
