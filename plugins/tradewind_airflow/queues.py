"""Which workers take a task, where the executor has queues: those with GPUs, or the others."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from airflow.sdk.configuration import conf

from tradewind.errors import UserError
from tradewind_airflow.gpus import gpu_pool

GPU_VARIABLE, CPU_VARIABLE = "TRADEWIND_GPU_QUEUE", "TRADEWIND_CPU_QUEUE"


def gpu_queue() -> str:
    """The queue of the tasks that train or run a model; unless `TRADEWIND_GPU_QUEUE` names one, Airflow's default.

    Raises:
        UserError: the variable names more than one queue.
    """
    return _stated(GPU_VARIABLE)


def cpu_queue() -> str:
    """The queue of all other tasks; unless `TRADEWIND_CPU_QUEUE` names one, Airflow's default.

    Raises:
        UserError: the variable names more than one queue.
    """
    return _stated(CPU_VARIABLE)


def pool_and_queue(gpus: int, stated: Collection[str]) -> dict[str, Any]:
    """Where a task with so many GPUs waits for its turn, but for what its author stated.

    Raises:
        UserError: a variable names more than one queue.
    """
    pool = {} if {"pool", "pool_slots"} & set(stated) else gpu_pool(gpus)
    return pool if "queue" in stated else {**pool, "queue": gpu_queue() if gpus else cpu_queue()}


def _stated(variable: str) -> str:
    name = (os.environ.get(variable) or "").strip()
    if "," in name or len(name.split()) > 1:  # a worker's list of queues, which no worker would ever listen to
        raise UserError(f"{variable}: '{name}' is not one queue; write a name such as gpu, without a comma or a space")
    return name or str(conf.get("operators", "default_queue"))
