"""The tests' Airflow is one of their own."""

from __future__ import annotations

import os
from pathlib import Path


def test_no_test_writes_to_the_airflow_of_who_runs_it() -> None:
    from airflow import settings
    from airflow.configuration import AIRFLOW_HOME

    assert AIRFLOW_HOME == os.environ["AIRFLOW_HOME"] != str(Path("~/airflow").expanduser())
    assert AIRFLOW_HOME in str(settings.SQL_ALCHEMY_CONN)
