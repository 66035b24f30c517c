"""A DAG's schedule, as its YAML says it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pendulum
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from tradewind.errors import UserError

_MOST_RUNS = 1000


def schedule_of(dag: DAG) -> dict[str, Any] | None:
    """The block `schedule`; UserError for a schedule that YAML cannot say."""
    kind, value = _timetable(DagSerialization.to_dict(dag)["dag"]["timetable"])
    assets: list[str] = []
    if kind in ("AssetTriggeredTimetable", "AssetOrTimeSchedule"):
        condition: Any = dag.timetable.asset_condition
        assets = [_asset(one, dag.dag_id) for one in condition.objects]
    if kind == "AssetOrTimeSchedule":
        kind, value = _timetable(value["timetable"])
    if kind == "NullTimetable":
        return None
    found: dict[str, Any] = {"assets": assets} if assets else {}
    if kind == "AssetTriggeredTimetable":
        return found | _start(dag, None)
    if kind not in ("CronTriggerTimetable", "EndingCronTimetable"):
        raise UserError(f"{dag.dag_id}: schedule: {kind} is nothing that YAML can say; it knows cron and assets")
    zone = value["timezone"]
    found = {"cron": value["expression"], "timezone": zone, **_start(dag, zone)} | found
    if kind == "EndingCronTimetable":
        found["max_runs"] = _runs(dag, value)
    return found


def _timetable(kept: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return str(kept["__type"]).rpartition(".")[2], kept.get("__var") or {}


def _asset(asset: Any, dag_id: str) -> str:
    owner, _, kind = getattr(asset, "name", "").rpartition(".")
    if not owner or asset.uri != f"tradewind://{owner}/{kind}":
        raise UserError(f"{dag_id}: schedule: {asset!r} is no asset of Tradewind's")
    return str(asset.name)


def _start(dag: DAG, zone: str | None) -> dict[str, Any]:
    if dag.start_date is None:
        return {}
    local = pendulum.instance(dag.start_date).in_timezone(zone or "UTC")
    moment = datetime.fromisoformat(local.naive().isoformat())
    return {"start": moment.date() if moment == datetime(*moment.timetuple()[:3]) else moment}


def _runs(dag: DAG, value: dict[str, Any]) -> int:
    from airflow.timetables.base import TimeRestriction
    from airflow.timetables.trigger import CronTriggerTimetable

    clock = CronTriggerTimetable(value["expression"], timezone=value["timezone"])
    last, count, before = pendulum.parse(value["until"]), 0, None
    restriction = TimeRestriction(earliest=pendulum.instance(dag.start_date), latest=None, catchup=True)  # type: ignore[arg-type]
    while count <= _MOST_RUNS:
        slot = clock.next_dagrun_info(last_automated_data_interval=before, restriction=restriction)
        if slot is None or slot.run_after > last:  # type: ignore[operator]
            break
        before, count = slot.data_interval, count + 1
    return count
