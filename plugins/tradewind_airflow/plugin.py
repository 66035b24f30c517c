"""The Airflow plugin; its name is what Airflow registers it by, once, however often it is found."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from tradewind_airflow.macros import run_dir


class TradewindPlugin(AirflowPlugin):
    """Gives templates `macros.tradewind.run_dir(dag_id, run_id)`."""

    name = "tradewind"
    macros = [run_dir]  # noqa: RUF012 - Airflow declares it as an instance variable
