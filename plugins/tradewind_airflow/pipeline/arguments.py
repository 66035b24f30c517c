"""What a pipeline's YAML says of one task, as the arguments of its operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tradewind.pipeline.model import Mount, Pipeline, Task
from tradewind_airflow.gpus import task_gpus
from tradewind_airflow.pipeline.operators import FOLDERS


def image_arguments(task: Task, pipeline: Pipeline) -> dict[str, Any]:
    """What RunImageOperator is given for a task of anyone's image."""
    named = {other.name: other for other in pipeline.tasks}
    folders = [folder for name in task.dependencies if (folder := _folder(named[name]))]
    return {
        "image": task.image,
        "command": list(task.command) if isinstance(task.command, tuple) else task.command,
        "inputs": folders,
        "mounts": mounts(task.mounts),
        **resources(task),
        **surroundings(task, pipeline),
    }


def gpus_of(task: Task) -> int:
    """How many it gets; where the file does not say, a task with a model as many as the deployment says."""
    stated = task.resources.gpus
    return stated if stated is not None else task_gpus() if task.kind.has_model else 0


def resources(task: Task) -> dict[str, Any]:
    """GPUs, limits and network."""
    stated, gpus = task.resources, gpus_of(task)
    found = {
        "cluster": {"nodes": 1, "gpus": gpus} if task.kind.has_model else None,
        "gpus": None if task.kind.has_model else gpus or None,
        "cpus": stated.cpus,
        "memory": stated.memory,
        "shm_size": stated.shm,
        "network_mode": task.network,
    }
    return {name: value for name, value in found.items() if value is not None}


def surroundings(task: Task, pipeline: Pipeline) -> dict[str, Any]:
    """Environment and secrets."""
    env = {**pipeline.environment, **task.environment}
    return {
        **({"env": env} if env else {}),
        **({"secrets": secrets(task, pipeline)} if task.secrets else {}),
    }


def secrets(task: Task, pipeline: Pipeline) -> dict[str, Any]:
    """Where each of those that it lists is read."""
    return {name: pipeline.secrets[name] for name in task.secrets or ()}


def mounts(stated: Sequence[Mount]) -> list[Any]:
    """As the engine takes them."""
    from docker.types import Mount as EngineMount

    return [EngineMount(one.target, one.source, "bind", read_only=one.read_only) for one in stated]


def _folder(task: Task) -> str | None:
    """The folder of the run that a task's outputs are in; None for one that has none."""
    if task.uses is None:
        from tradewind_airflow.operators.image import outputs_of

        return outputs_of(task.name)
    if task.uses in FOLDERS:
        return FOLDERS[task.uses]
    return task.uses if task.kind.is_stage and task.kind.mapped_by is None else None
