"""The Airflow plugin; its name is what Airflow registers it by, once, however often it is found."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from tradewind_airflow.macros import models_dir, run_dir
from tradewind_airflow.timetable import EndingCronTimetable


class TradewindPlugin(AirflowPlugin):
    """Gives templates `macros.tradewind.run_dir(dag_id, run_id)` and `.models_dir(dag_id)`, and schedules an end."""

    name = "tradewind"
    macros = [run_dir, models_dir]  # noqa: RUF012 - Airflow declares it as an instance variable
    timetables = [EndingCronTimetable]  # noqa: RUF012
