"""One stage of the pipeline as an Airflow task."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk.log import mask_secret
from docker.types import DeviceRequest, Mount
from setproctitle import getproctitle

from tradewind.errors import UserError
from tradewind.files import write_atomically
from tradewind.lease import die_with_parent
from tradewind.recipes import resolve
from tradewind.results import STAGES, Stage
from tradewind.run_dir import RunDir
from tradewind_airflow.child import StageProcess, command_line

if TYPE_CHECKING:
    from airflow.sdk import Context

CONTAINER_RUN_DIR = Path("/pipeline/run")
CONTAINER_DATA_DIR = Path("/pipeline/input1")
_FAULT_OF_INPUT = 2  # exit code of tradewind's command line: a retry cannot help


class StageOperator(DockerOperator):
    """Run one stage in a container, or, with no `image`, in a subprocess of the worker.

    The task's XCom is the stage's `StageResult` as JSON, read from the `result.json` that the stage
    published, never from its log. A stage that the recipe turned off makes the task *skipped*.

    Args:
        stage: `prepare`, `adapt`, `finetune`, `evaluate` or `report`.
        recipe: name or path of a recipe (templated).
        data: folder of documents (templated).
        seed: seed of split, training and bootstrap (templated).
        overrides: settings that differ from the recipe's, by dotted key (templated).
        run_dir: the run's folder (templated); all stages of a run share it.
        image: container image that holds `tradewind`; None for a subprocess (templated).
        gpus: the indices or UUIDs of the GPUs that this task may use; none: CPU.
        kwargs: everything else is DockerOperator's: `environment`, `private_environment`,
            `mem_limit`, `shm_size`, `mounts`, `network_mode`, ... The two environments reach a
            subprocess as well; a secret belongs in `private_environment`, which is never rendered.
    """

    template_fields: Sequence[str] = (
        *DockerOperator.template_fields, "recipe", "data", "seed", "overrides", "run_dir",
    )  # fmt: skip

    def __init__(
        self,
        *,
        stage: Stage,
        recipe: str = "{{ params.recipe }}",
        data: str = "{{ params.data }}",
        seed: str | int = "{{ params.seed }}",
        overrides: Mapping[str, Any] | None = None,
        run_dir: str = "{{ macros.tradewind.run_dir(dag.dag_id, run_id) }}",
        image: str | None = None,
        gpus: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("trigger_rule", "none_failed")  # a stage goes on after one that was skipped
        super().__init__(image=image or "", mount_tmp_dir=False, **kwargs)
        if stage not in STAGES:
            raise ValueError(f"stage {stage!r} is unknown; stages are {', '.join(STAGES)}")
        if isinstance(gpus, str):
            raise TypeError(f"gpus is a sequence of indices or UUIDs, such as ['0'], not the text {gpus!r}")
        if not all(isinstance(gpu, str) for gpu in gpus):
            raise TypeError(f"gpus holds indices or UUIDs as text, such as ['0'], not {list(gpus)!r}")
        self.stage = stage
        self.recipe = recipe
        self.data = data
        self.seed = seed
        self.overrides = dict(overrides or {})
        self.run_dir = run_dir
        self.gpus = list(gpus)
        self._child: StageProcess | None = None

    def execute(self, context: Context) -> dict[str, Any]:  # type: ignore[override]
        """Run the stage to its end and return its published result.

        Raises:
            AirflowFailException: a fault of input, named in one line; no retry can help.
            AirflowException: the stage ended otherwise without a result; a retry resumes it.
            AirflowSkipException: the recipe turned the stage off.
        """
        run_dir = RunDir(Path(self.run_dir))
        for secret in self._private_environment.values():
            mask_secret(secret)
        config = self._write_config(run_dir)
        self.environment = dict(self.environment) | _identity(context)
        if self.image:
            self._run_container(run_dir, config, context)
        else:
            self._run_subprocess(run_dir, config)
        result = run_dir.result(self.stage)
        if result.status == "skipped":
            raise AirflowSkipException(result.reason)
        return result.model_dump(mode="json")

    def on_kill(self) -> None:
        """Stop the stage with its task: marked failed, cleared or timed out."""
        if self._child is not None:
            self._child.stop()
        elif self.image:
            super().on_kill()

    def _write_config(self, run_dir: RunDir) -> Path:
        data = str(CONTAINER_DATA_DIR) if self.image else self.data
        try:
            config = resolve(self.recipe, data, _seed(self.seed), self.overrides)
        except UserError as error:
            raise AirflowFailException(str(error)) from error
        # The stage itself makes it the run's, once it holds the run directory's lock.
        run_dir.path.mkdir(parents=True, exist_ok=True)
        path = run_dir.path / f".{self.stage}.config.json"
        write_atomically(path, config.model_dump_json(indent=1))
        return path

    def _run_subprocess(self, run_dir: RunDir, config: Path) -> None:
        if getproctitle().startswith("airflow worker"):  # set by Airflow's task runner, not by `dags test`
            # The stage dies with this process; so that it also dies with the supervisor, this process must.
            die_with_parent(os.getppid())
        own = {"CUDA_VISIBLE_DEVICES": ",".join(self.gpus)}
        environment = {**own, **self.environment, **self._private_environment}
        self._child = StageProcess(command_line(self.stage, config, run_dir.path), environment)
        ended = self._child.run(self._log_line)
        if ended.returncode == _FAULT_OF_INPUT:
            raise AirflowFailException(ended.why())
        if ended.returncode != 0:
            raise AirflowException(f"stage {self.stage} ended with {ended.returncode}: {ended.why()}")

    def _run_container(self, run_dir: RunDir, config: Path, context: Context) -> None:
        arguments = command_line(self.stage, CONTAINER_RUN_DIR / config.name, CONTAINER_RUN_DIR)
        self.command = ["python", "-m", "tradewind", *arguments]
        self.mounts = [
            *self.mounts,
            Mount(str(CONTAINER_RUN_DIR), str(run_dir.path), "bind"),
            Mount(str(CONTAINER_DATA_DIR), str(Path(self.data).resolve()), "bind", read_only=True),
        ]
        if self.gpus:
            # Explicit ids: a count would give every container the same first GPUs.
            self.device_requests = [DeviceRequest(device_ids=self.gpus, capabilities=[["gpu"]])]
        super().execute(context)

    def _log_line(self, line: str) -> None:
        """A line of the stage's, at the level it begins with."""
        level, _, text = line.partition(" ")
        numbers = {"INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}
        self.log.log(numbers.get(level, logging.INFO), "%s", text if level in numbers else line)


def _seed(seed: str | int) -> int:
    try:
        return int(seed)
    except (TypeError, ValueError):
        raise UserError(f"seed: '{seed}' is not a whole number; give one from 0 to {2**32 - 1}") from None


def _identity(context: Context) -> dict[str, str]:
    """What tells a stage, and whoever reads its log, which task it is."""
    ti = context["ti"]
    return {
        "TRADEWIND_JOB_ID": f"{ti.dag_id}/{ti.run_id}",
        "TRADEWIND_TASK_ID": f"{ti.task_id}/{ti.try_number}",
    }
