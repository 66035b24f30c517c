"""A task of anyone's image and command."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.docker.operators.docker import DockerOperator

from tradewind.run_dir import RunDir
from tradewind.store.manifest import TASKS
from tradewind.store.mirror import complete
from tradewind_airflow import macros
from tradewind_airflow.containers.identity import Identity
from tradewind_airflow.gpu_choice import GpuChoice
from tradewind_airflow.operators.followed import FollowedContainer, engine_told
from tradewind_airflow.queues import pool_and_queue
from tradewind_airflow.shared import shared
from tradewind_airflow.stop_request import StopRequest
from tradewind_airflow.told import told

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context


class RunImageOperator(FollowedContainer):
    """Run any command in any image, on what the tasks before it made.

    The container sees `/pipeline/input1` ... (read-only), `/pipeline/outputs`, `TRADEWIND_JOB_ID` and
    `TRADEWIND_TASK_ID`. What it leaves in `/pipeline/outputs` is kept as `tasks/<task_id>/` in the run's folder once
    it has ended with 0; the XCom says how much that is. As StageOperator's, the container outlives its worker, has
    its GPUs alone and ends when the task is cleared or marked.

    Args:
        command: a list follows the image's entrypoint; a text is run by the image's bash, or sh where it has none;
            None: the image's own. It is no template: what means something to a shell does to a template, too.
        inputs: folders of the run, in this order: a stage's, such as `prepare`, or `outputs_of` a task of this kind.
        run_dir: the run's folder (templated).
        gpus: how many GPUs it has for itself; the image then needs `sh` and `flock`.
        cpus: a limit in cores.
        memory: a limit such as `24g`; swap adds nothing to it.
        env: environment variables (templated).
        secrets: as StageOperator's; the image then needs `sh` and `cat`.
        kept: given the run's folder, arguments that count instead of these: those the run was started with.
        kwargs: everything else is DockerOperator's: `mounts`, `shm_size`, `network_mode`, `user`, ...
    """

    template_fields: Sequence[str] = (
        *(name for name in DockerOperator.template_fields if name != "command"), "run_dir",
    )  # fmt: skip
    template_ext: Sequence[str] = ()

    def __init__(
        self,
        *,
        image: str,
        command: Sequence[str] | str | None = None,
        inputs: Sequence[str] = (),
        run_dir: str = "{{ macros.tradewind.run_dir(dag.dag_id, run_id) }}",
        gpus: int = 0,
        cpus: float | None = None,
        memory: str | None = None,
        env: Mapping[str, str] | None = None,
        kept: Callable[[Path, str], Mapping[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        stated = {*kwargs, *(kwargs.get("default_args") or {})}
        kwargs |= pool_and_queue(gpus, stated)
        super().__init__(image=image, mem_limit=memory, environment=dict(env or {}), mount_tmp_dir=False, **kwargs)
        if self.task_id.startswith("."):
            raise ValueError(f"task_id {self.task_id!r}: is a folder's name too, and must not begin with a dot")
        for folder in inputs:
            if Path(folder).is_absolute() or ".." in Path(folder).parts:
                raise ValueError(f"inputs: {folder!r} is no folder of the run, such as 'prepare' or 'tasks/clean'")
        self.program = command
        self.inputs = tuple(inputs)
        self.run_dir = run_dir
        self.gpus = gpus
        self.cpu_limit = cpus
        self._kept = kept

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Airflow's own, of what the run was started with."""
        if self._kept is not None:
            ti = context["ti"]
            run_dir = Path(macros.run_dir(ti.dag_id, ti.run_id))
            with told(run_dir):
                self._take(self._kept(run_dir, self.task_id))
        super().render_template_fields(context, jinja_env)

    def _take(self, arguments: Mapping[str, Any]) -> None:
        """Be the task that these arguments make."""
        self.image, self.program = arguments["image"], arguments.get("command")
        self.inputs = tuple(arguments.get("inputs", ()))
        self.gpus, self.cpu_limit = arguments.get("gpus", 0), arguments.get("cpus")
        self.mem_limit, self.shm_size = arguments.get("memory"), arguments.get("shm_size")
        self.environment = dict(arguments.get("env") or {})
        self.secrets = dict(arguments.get("secrets") or {})
        self.mounts = list(arguments.get("mounts") or [])
        self.network_mode = arguments.get("network_mode")

    def execute(self, context: Context) -> dict[str, Any]:  # type: ignore[override]
        """Run it to its end and keep what it made.

        Raises:
            AirflowFailException: a fault that no retry can mend, named in one line.
            AirflowException: it ended otherwise than with 0.
        """
        from tradewind_airflow.containers.image_job import image_job, publish

        self._ti = context["ti"]
        self._stop = StopRequest()
        identity = Identity.of(context)
        run_dir = RunDir(Path(self.run_dir)).path
        made = run_dir / outputs_of(self.task_id)
        inputs = [run_dir / folder for folder in self.inputs]
        with shared(run_dir, Path(macros.models_dir(identity.dag_id))), told(run_dir), engine_told():
            for folder in inputs:
                complete(folder)
            made.parent.mkdir(parents=True, exist_ok=True)
            choice = GpuChoice(self.gpus, self._stop, busy=f"{identity.job_id} {identity.task_id}")
            job = image_job(
                self, identity, run_dir, made, command=self.program, inputs=inputs, choice=choice, cpus=self.cpu_limit,
                secrets=self._all_secrets(), on_line=self._log_line, stop=self._stop,
            )  # fmt: skip
            self._run_job(job, context)
            publish(made)
        return {"job_id": identity.job_id, "task_id": self._finished_try, "outputs": _measure(made)}


def outputs_of(task_id: str) -> str:
    """The folder, in the run's, of what a task of this kind made."""
    return f"{TASKS}/{task_id}"


def _measure(folder: Path) -> dict[str, Any]:
    """How many files it holds, and their bytes; no link is followed."""
    sizes = [os.lstat(Path(place, name)).st_size for place, _, names in os.walk(folder) for name in names]
    return {"path": outputs_of(folder.name), "files": len(sizes), "bytes": sum(sizes)}
