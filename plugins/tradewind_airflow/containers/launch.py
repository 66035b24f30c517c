"""From a stage's operator to the container that runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException
from docker.errors import DockerException
from docker.types import Mount

from tradewind.config import RunConfig
from tradewind.models import locate
from tradewind.run_dir import RunDir
from tradewind.shard import Shard
from tradewind.sources.location import EMBEDDED
from tradewind.stages import Stage
from tradewind_airflow.child import command_line
from tradewind_airflow.containers.claim import Claim
from tradewind_airflow.containers.identity import Identity
from tradewind_airflow.containers.image import have_image
from tradewind_airflow.containers.job import ContainerJob
from tradewind_airflow.containers.mounts import (
    HostPaths,
    answers_environment,
    cache_environment,
    extra_mounts,
    model_cache,
    models_environment,
    stage_mounts,
)
from tradewind_airflow.containers.request import container_request
from tradewind_airflow.gpu_choice import GpuChoice
from tradewind_airflow.gpus import Gpu
from tradewind_airflow.shared import run_address
from tradewind_airflow.stop_request import StopRequest

if TYPE_CHECKING:
    from airflow.providers.docker.operators.docker import DockerOperator
    from docker import APIClient


def container_job(
    task: DockerOperator,
    stage: Stage,
    identity: Identity,
    run_dir: RunDir,
    config: RunConfig,
    *,
    shard: Shard,
    config_file: Path,
    models: Path,
    choice: GpuChoice,
    cpus: float | None,
    secrets: Mapping[str, str],
    on_line: Callable[[str], None],
    stop: StopRequest,
) -> ContainerJob:
    """Everything that is known before a GPU is chosen: engine, image, mounts, name.

    Args:
        task: image, limits and network are taken from its fields.
        models: those that `evaluate` finds the champion among.
        cpus: a limit in cores.
        on_line: gets each line that the container says.
        stop: requested when the task is to end.

    Raises:
        UserError: a folder may not be mounted.
        AirflowFailException: the image does not exist.
        AirflowException: the engine or the registry does not answer.
    """
    cli = engine(task)
    have_image(cli, task.image, force_pull=task.force_pull)
    host = HostPaths.of_this_process(cli)
    champion = models_environment(stage, models)
    read_only = [*named_folders(config), *map(Path, champion.values())]
    mounts = [
        *stage_mounts(stage, run_dir, read_only, choice.leases, host, shard=shard),
        *extra_mounts(plain(task.mounts), host),
    ]

    folders = cache_environment(model_cache()) | answers_environment(stage) | champion

    def request(gpus: Sequence[Gpu]) -> dict[str, Any]:
        flags = ["--secrets-from-stdin"] if secrets else []
        arguments = command_line(stage, config_file, run_dir.path, [*choice.arguments(gpus), *flags], shard)
        return container_request(
            cli, task, identity=identity, command=["python", "-m", "tradewind", *arguments], mounts=mounts,
            gpus=gpus, cpus=cpus, folders=folders, stdin=bool(secrets),
        )  # fmt: skip

    folder, shared = host.on_host(run_dir.path), run_address(run_dir.path)
    claim = Claim(run_dir.path, shard.folder(stage), identity.owner)
    return ContainerJob(
        cli, identity, identity.container_name(shared or folder), claim, image=task.image, request=request,
        choose=choice.take, secrets=secrets, on_line=on_line, stop=stop, folder=folder if shared else "",
    )  # fmt: skip


def image_id(task: DockerOperator) -> str:
    """Of the task's image, which is pulled where it is absent; the same name may mean another one tomorrow."""
    return have_image(engine(task), task.image, force_pull=task.force_pull)


def in_container(config: RunConfig) -> RunConfig:
    """The same configuration with models in folders named from the root, as a container has another working folder."""
    model = config.model.model_copy(update={"model_name_or_path": _absolute(config.model.model_name_or_path)})
    evaluate = config.evaluate.model_copy(update={"encoder": _absolute(config.evaluate.encoder)})
    return config.model_copy(update={"model": model, "evaluate": evaluate})


def engine(task: DockerOperator) -> APIClient:
    """The task's engine; AirflowException where it does not answer."""
    try:
        return task.hook.api_client
    except (AirflowException, DockerException, OSError) as error:
        raise AirflowException(
            f"the Docker engine at {task.docker_url} does not answer; start it, or set DOCKER_HOST for the worker"
        ) from error


def named_folders(config: RunConfig) -> list[Path]:
    """The folders that a configuration names, the documents first."""
    names = [config.data_dir] if not config.data_dir.startswith(EMBEDDED) else []
    models = [config.model.model_name_or_path, config.evaluate.encoder]
    return [Path(name) for name in [*names, *(_absolute(model) for model in models)] if name.startswith("/")]


def _absolute(model: str) -> str:
    located = locate(model)
    return str(located.resolve()) if isinstance(located, Path) and not model.startswith(EMBEDDED) else model


def plain(mounts: Sequence[Any]) -> list[Mapping[str, Any]]:
    """Mounts as the engine's API spells them; DockerOperator takes keyword arguments as well."""
    return [mount if "Target" in mount else Mount(**mount) for mount in mounts]
