"""Each pipeline of a folder of YAML files as a DAG: `$TRADEWIND_PIPELINES`, else `pipelines` beside this file.

What is wrong with one is told by `broken_pipelines.py`: an error of this file's would take the others away.
"""

from __future__ import annotations

from airflow.providers.docker.operators.docker import DockerOperator  # noqa: F401 - imported once for all parses
from airflow.sdk import DAG  # noqa: F401 - by this word Airflow knows a DAG file

from tradewind_airflow.pipeline.folder import dags_of

globals().update(dags_of(__file__))
