"""`python -m tradewind_airflow.doctor.state`: what Airflow knows of itself, as one line of JSON.

In a process of its own: importing Airflow takes seconds, and a database that is away may hold it for minutes.
"""

from __future__ import annotations

import json
import os
from typing import Any

from tradewind.errors import UserError
from tradewind_airflow.gpus import POOL_VARIABLE
from tradewind_airflow.schedule import SCHEDULE, TIMEZONE, schedule

_CRON, _ZONE = "0 2 * * *", "Asia/Seoul"  # of dags/trade_qa.py


def state() -> dict[str, Any]:
    """Home, executor, database and pool of this process's Airflow; no password of a database is in it."""
    import airflow
    from airflow.configuration import AIRFLOW_HOME, conf
    from sqlalchemy.engine import make_url

    address = make_url(conf.get("database", "sql_alchemy_conn"))
    return {
        "version": airflow.__version__,
        "home": AIRFLOW_HOME,
        "executor": conf.get("core", "executor"),
        "database": address.get_backend_name() + (f" at {address.host}" if address.host else ""),
        **_database(),
        **_schedule(),
    }


def _database() -> dict[str, Any]:
    from airflow.models.pool import Pool
    from airflow.utils.db import check_migrations
    from airflow.utils.session import create_session
    from sqlalchemy import select, text
    from sqlalchemy.exc import SQLAlchemyError

    told: dict[str, Any] = {"fault": "", "migrated": False, "slots": None}
    try:
        with create_session() as session:
            session.execute(text("select 1"))
        told["migrated"] = _is_migrated(check_migrations)
        if told["migrated"]:
            with create_session() as session:
                told["slots"] = session.scalar(select(Pool.slots).where(Pool.pool == os.environ.get(POOL_VARIABLE)))
    except (SQLAlchemyError, OSError) as error:
        # The first line: the others hold the statement and the address.
        told["fault"] = f"{type(error).__name__}: {str(getattr(error, 'orig', error)).splitlines()[0]}"
    return told


def _is_migrated(check: Any) -> bool:
    try:
        check(0)
    except TimeoutError:
        return False
    return True


def _schedule() -> dict[str, Any]:
    from airflow.sdk import Asset

    cron, zone = os.environ.get(SCHEDULE) or _CRON, os.environ.get(TIMEZONE) or _ZONE
    try:
        schedule(Asset("doctor"), cron=_CRON, timezone=_ZONE)
    except UserError as error:
        return {"schedule": "", "schedule_fault": str(error)}
    return {"schedule": f"{cron} in {zone}", "schedule_fault": ""}


if __name__ == "__main__":
    print(json.dumps(state()))
