"""What is left of a run that was given up: its containers."""

from __future__ import annotations

import os
from contextlib import suppress

from docker import APIClient
from docker.errors import APIError, DockerException

from tradewind_airflow.containers.identity import JOB

_TIMEOUT = 30


def end_containers(dag_id: str, run_id: str) -> None:
    """Remove the run's containers, live ones too; without an engine there are none.

    Airflow ends them itself while it runs. Here it is about to stop, or was killed.
    """
    if not os.environ.get("TRADEWIND_IMAGE"):
        return
    try:
        cli = APIClient(base_url=os.environ.get("DOCKER_HOST"), timeout=_TIMEOUT)
        for found in cli.containers(all=True, filters={"label": f"{JOB}={dag_id}/{run_id}"}):
            with suppress(APIError):  # somebody else was faster
                cli.remove_container(found["Id"], force=True)
    except (DockerException, OSError):
        return
