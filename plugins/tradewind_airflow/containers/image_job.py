"""The container of anyone's image: what it is told, and what it must hold."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException
from docker.types import Mount

from tradewind.errors import GpuBusyError, TemporaryError, UserError
from tradewind.files import write_atomically
from tradewind.store.manifest import mark_of
from tradewind.store.mirror import if_shared
from tradewind_airflow.containers.claim import Claim
from tradewind_airflow.containers.ending import image_failure
from tradewind_airflow.containers.identity import Identity
from tradewind_airflow.containers.image import have_image
from tradewind_airflow.containers.job import ContainerJob
from tradewind_airflow.containers.launch import engine, plain
from tradewind_airflow.containers.mounts import PIPELINE, HostPaths, allowed_roots, check_allowed, extra_mounts
from tradewind_airflow.containers.request import container_request
from tradewind_airflow.gpu_choice import GpuChoice
from tradewind_airflow.gpus import Gpu
from tradewind_airflow.shared import run_address
from tradewind_airflow.stop_request import StopRequest

if TYPE_CHECKING:
    from airflow.providers.docker.operators.docker import DockerOperator

_BUSY = "tradewind: a GPU is held by another process"
# bash where the image has it: $RANDOM and the like are not every sh's.
_SHELL = 'if command -v bash >/dev/null 2>&1; then exec bash -c "$1"; else exec sh -c "$1"; fi'
_READ_SECRETS = (
    'eval "$(cat)"; [ "$tradewind_secrets" = whole ] || '
    f'{{ echo "tradewind: the secrets did not come" >&2; exit {TemporaryError.exit_code}; }}; unset tradewind_secrets'
)
_MOST_LOCKS = 7
"""A plain sh has the descriptors 3 to 9."""


class ImageJob(ContainerJob):
    """One task's container of an image that need not know of us; a shell in it takes the locks and the secrets."""

    def _message(self, secrets: Mapping[str, str]) -> bytes:
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items()]
        return "".join([*lines, "tradewind_secrets=whole\n"]).encode()

    def _failure(self, ended: Mapping[str, Any], last_lines: Sequence[str]) -> AirflowException:
        return image_failure(self.identity.task, ended["State"], last_lines)

    def _was_too_late(self, ended: Mapping[str, Any]) -> bool:
        # Its own program may end with any code: only our shell says this.
        if not super()._was_too_late(ended):
            return False
        return _BUSY in self.cli.logs(ended["Id"], tail=1).decode(errors="replace")


def image_job(
    task: DockerOperator,
    identity: Identity,
    run_dir: Path,
    made: Path,
    *,
    command: Sequence[str] | str | None,
    inputs: Sequence[Path],
    choice: GpuChoice,
    cpus: float | None,
    secrets: Mapping[str, str],
    on_line: Callable[[str], None],
    stop: StopRequest,
) -> ImageJob:
    """Everything that is known before a GPU is chosen.

    Args:
        task: image, limits, network and mounts are taken from its fields.
        made: the folder that what it leaves in `/pipeline/outputs` becomes, see `publish`.
        command: a list after the image's entrypoint, or a text for its shell; None: the image's own.
        inputs: become `/pipeline/input1` ...; one that is not there leaves its number out.
        cpus: a limit in cores.

    Raises:
        UserError: a folder may not be mounted, or the image has nothing to run.
        AirflowFailException: the image does not exist.
        AirflowException: the engine or the registry does not answer.
    """
    cli = engine(task)
    have_image(cli, task.image, force_pull=task.force_pull)
    program = _program(cli.inspect_image(task.image)["Config"], command, task)
    host = HostPaths.of_this_process(cli)
    roots = allowed_roots()
    work = _work(made)
    for path in (run_dir, made, work, *inputs):
        check_allowed(path, roots)  # a container before it may have left a link there, and the engine follows it
    there = [(number, path) for number, path in enumerate(inputs, 1) if path.is_dir()]
    mounts = [
        Mount(str(PIPELINE / "outputs"), host.on_host(work), "bind"),
        *(
            Mount(str(PIPELINE / f"input{number}"), host.on_host(path), "bind", read_only=True)
            for number, path in there
        ),
        *([Mount(str(choice.leases), host.on_host(choice.leases), "bind", read_only=True)] if choice.leases else []),
        *extra_mounts(plain(task.mounts), host),
    ]

    def request(gpus: Sequence[Gpu]) -> dict[str, Any]:
        _begin(made, identity)
        asked = container_request(
            cli, task, identity=identity, command=[], mounts=mounts, gpus=gpus, cpus=cpus, folders={},
            stdin=bool(secrets),
        )  # fmt: skip
        return asked | {"entrypoint": _entrypoint(program, gpus, choice.leases, secrets=bool(secrets))}

    folder, shared = host.on_host(run_dir), run_address(run_dir)
    claim = Claim(run_dir, f"task-{identity.task}", identity.owner)
    return ImageJob(
        cli, identity, identity.container_name(shared or folder), claim, image=task.image, request=request,
        choose=choice.take, secrets=secrets, on_line=on_line, stop=stop, folder=folder if shared else "",
    )  # fmt: skip


def _program(config: Mapping[str, Any], command: Sequence[str] | str | None, task: DockerOperator) -> list[str]:
    """The whole command line, as the engine would put it together."""
    if isinstance(command, str):
        return ["/bin/sh", "-c", _SHELL, "task", command]
    found = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [] if command is None else command)]
    if not found:
        raise UserError(f"{task.task_id}: the image '{task.image}' has no command of its own; state `command`")
    return found


def _entrypoint(program: Sequence[str], gpus: Sequence[Gpu], leases: Path | None, *, secrets: bool) -> list[str]:
    """The program, after a shell that becomes it has taken what it must hold: so a lock lasts as long as the program.

    The locks' files are there already, and are opened for reading: any user of the host may have made them.
    """
    steps = []
    if gpus:
        steps.append(
            "command -v flock >/dev/null 2>&1 || { echo 'tradewind: the image has no flock (util-linux), "
            f"which a task with GPUs needs' >&2; exit {UserError.exit_code}; }}"
        )
        for number, gpu in enumerate(gpus, 3):
            lock = shlex.quote(f"{leases}/gpu-{gpu.id}.lock")
            steps.append(
                f"exec {number}<{lock}; flock -n {number} || {{ echo '{_BUSY}' >&2; exit {GpuBusyError.exit_code}; }}"
            )
    if secrets:
        steps.append(_READ_SECRETS)
    if not steps:
        return list(program)
    shell = "bash" if len(gpus) > _MOST_LOCKS else "/bin/sh"
    last = 'exec "$@" </dev/null' if secrets else 'exec "$@"'
    return [shell, "-c", "\n".join([*steps, last]), "task", *program]


def publish(made: Path) -> None:
    """Keep what an ended container left, by one rename; a try before this one may have done it and been lost then."""
    with suppress(FileNotFoundError):
        _work(made).rename(made)
    with suppress(FileNotFoundError):
        _begun(made).rename(mark_of(made))


def _begin(made: Path, identity: Identity) -> None:
    """Take back what a try before made, so that it is not taken for this one's."""
    if_shared(made, lambda mirror: mirror.withdraw(made))
    mark_of(made).unlink(missing_ok=True)
    for folder in (made, _work(made)):
        shutil.rmtree(folder, ignore_errors=True)
    _work(made).mkdir(parents=True)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    mark = {"job_id": identity.job_id, "task_id": identity.task_id, "started_at": now}
    write_atomically(_begun(made), json.dumps(mark))


def _work(made: Path) -> Path:
    return made.with_name(f".{made.name}.work")


def _begun(made: Path) -> Path:
    return made.with_name(f".{made.name}.begun")
