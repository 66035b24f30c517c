"""What is asked of the engine for one container."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from docker.types import LogConfig

from tradewind_airflow.containers.identity import Identity
from tradewind_airflow.gpus import Gpu, container_environment, engine_request

if TYPE_CHECKING:
    from airflow.providers.docker.operators.docker import DockerOperator
    from docker import APIClient

STOP_GRACE = 2
"""Seconds between SIGTERM and SIGKILL: with Airflow's own notice a stopped task is gone within five."""
# Any user id may run a stage, known to the image or not: these are what libraries ask a user's record for.
OF_ANY_USER = {"HOME": "/tmp", "USER": "tradewind", "PYTHONUNBUFFERED": "1", "OMP_WAIT_POLICY": "PASSIVE"}  # noqa: S108
_LOG_SIZE, _LOG_FILES = "50m", "3"
_NANO = 1_000_000_000


def container_request(
    cli: APIClient,
    task: DockerOperator,
    *,
    identity: Identity,
    command: Sequence[str],
    mounts: Sequence[Mapping[str, Any]],
    gpus: Sequence[Gpu],
    cpus: float | None,
    folders: Mapping[str, str],
    stdin: bool,
) -> dict[str, Any]:
    """The arguments of `create_container`, from DockerOperator's fields and what they lack.

    Args:
        task: its image, limits and network are taken as they are.
        cpus: a limit in cores (the operator's own `cpus` is a share, which an idle host ignores).
        folders: variables that name the folders shared by all runs.
        stdin: whether secrets follow there.
    """
    host_config = cli.create_host_config(
        **engine_request(gpus),
        init=True,  # as PID 1 Python would ignore SIGTERM, and nobody would reap its children
        mounts=list(mounts),
        nano_cpus=None if cpus is None else round(cpus * _NANO),
        mem_limit=task.mem_limit,
        memswap_limit=task.mem_limit,  # no more with swap: a training that swaps does not end
        shm_size=task.shm_size,
        network_mode=task.network_mode,
        dns=task.dns,
        dns_search=task.dns_search,
        extra_hosts=task.extra_hosts,
        port_bindings=task.port_bindings,
        ipc_mode=task.ipc_mode,
        ulimits=task.ulimits,
        cap_add=task.cap_add,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        # The engine's default driver may keep nothing to read again; a long log must not fill the disk.
        log_config=LogConfig(
            type="json-file",
            config={"max-size": task.log_opts_max_size or _LOG_SIZE, "max-file": task.log_opts_max_file or _LOG_FILES},
        ),
    )
    from_file = {} if task.env_file is None else task.unpack_environment_variables(task.env_file)
    return {
        "image": task.image,
        "command": list(command),
        "environment": {
            **OF_ANY_USER,
            **folders,
            **from_file,
            **task.environment,
            **container_environment(gpus),
            **identity.environment(),
        },
        "labels": {**_labels(task.labels), **identity.labels(gpus)},
        # The worker's own user: what a stage writes is the worker's to read, move and delete.
        "user": task.user if task.user is not None else f"{os.getuid()}:{os.getgid()}",
        "host_config": host_config,
        "ports": list(task.port_bindings),
        "entrypoint": task.format_command(task.entrypoint),
        "working_dir": task.working_dir,
        "hostname": task.hostname,
        "stdin_open": stdin,
        "stop_timeout": STOP_GRACE,
    }


def _labels(stated: Mapping[str, str] | Sequence[str] | None) -> dict[str, str]:
    return dict(stated) if isinstance(stated, Mapping) else dict.fromkeys(stated or (), "")
