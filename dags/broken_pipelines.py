"""No DAG: an import error that names file, line and remedy of each pipeline that `yaml_pipelines.py` cannot build."""

from __future__ import annotations

from airflow.sdk import DAG  # noqa: F401 - by this word Airflow knows a DAG file

from tradewind_airflow.pipeline.folder import check_all

check_all(__file__)
