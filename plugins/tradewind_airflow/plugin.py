"""The Airflow plugin; its name is what Airflow registers it by, once, however often it is found."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from tradewind_airflow.macros import models_dir, run_dir
from tradewind_airflow.timetable import EndingCronTimetable

URL_PREFIX = "/tradewind"
_RUN = "dag_id={DAG_ID}&run_id={RUN_ID}"


def _view(name: str, destination: str, query: str = "", **more: Any) -> dict[str, Any]:
    """A page as Airflow's own embeds it; below the path that Airflow itself stands under."""
    below = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    href = f"{below}{URL_PREFIX}/pages/{name}{f'?{query}' if query else ''}"
    title = name.capitalize()
    return {"name": title, "href": href, "destination": destination, "url_route": f"tradewind-{name}", **more}


class TradewindPlugin(AirflowPlugin):
    """Gives templates `macros.tradewind.run_dir(dag_id, run_id)` and `.models_dir(dag_id)`; pages; a timetable."""

    name = "tradewind"
    macros = [run_dir, models_dir]  # noqa: RUF012 - Airflow declares it as an instance variable
    timetables = [EndingCronTimetable]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        _view("models", "nav", nav_top_level=True),
        _view("report", "dag_run", _RUN),
        _view("files", "dag_run", _RUN),
        _view("progress", "task_instance", f"{_RUN}&task_id={{TASK_ID}}&map_index={{MAP_INDEX}}"),
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Made where it is asked for, in the API server: every component loads plugins, and this imports much."""
        from tradewind_airflow.ui.app import create_app

        return [{"app": create_app(), "url_prefix": URL_PREFIX, "name": "Tradewind"}]
