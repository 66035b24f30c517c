"""One stage of the pipeline as an Airflow task."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from setproctitle import getproctitle

from tradewind.config import RunConfig
from tradewind.errors import TemporaryError, UserError
from tradewind.lease import die_with_parent
from tradewind.results import StageResult
from tradewind.run_dir import RunDir
from tradewind.stages import WITH_TEAM, Stage
from tradewind_airflow.child import StageProcess, command_line
from tradewind_airflow.cluster import Cluster
from tradewind_airflow.containers.identity import Identity
from tradewind_airflow.containers.mounts import (
    answers_environment,
    cache_environment,
    model_cache,
    models_environment,
)
from tradewind_airflow.finished import finished_result
from tradewind_airflow.gpu_choice import GpuChoice
from tradewind_airflow.operators.followed import FollowedContainer, engine_told
from tradewind_airflow.queues import pool_and_queue
from tradewind_airflow.secret_references import SecretReference
from tradewind_airflow.stage_result import check_limits, checked_shard, models_of, stage_result
from tradewind_airflow.stage_task import write_config
from tradewind_airflow.stop_request import StopRequest

if TYPE_CHECKING:
    from airflow.sdk import Context


# DockerOperator's, but what they say is decided here: to take them and do otherwise would mislead.
_NOT_TAKEN = frozenset(
    {"auto_remove", "command", "container_name", "device_requests", "environment", "mem_limit",
     "mount_tmp_dir", "privileged", "retrieve_output", "retrieve_output_path", "skip_on_exit_code", "tty", "xcom_all"}
)  # fmt: skip


class StageOperator(FollowedContainer):
    """Run one stage in a container, or, with no `image`, in a subprocess of the worker.

    The task's XCom is the stage's `StageResult` as JSON, read from the `result.json` that the stage
    published, never from its log. A stage that the recipe turned off makes the task *skipped*.

    After a ConfigureRunOperator it goes by what that one resolved, and runs nothing where an earlier run
    of the DAG made the same of the same (`cached`); a stage that the run leaves out is *skipped*, and the
    newest earlier result that fits stands in for it.

    A container outlives the loss of its worker: the retry finds and follows it. It ends within
    seconds when the task is cleared or marked otherwise. A subprocess ends with its worker; what it
    has published by then is the retry's.

    Args:
        stage: `extract`, `prepare`, `baseline`, `adapt`, `finetune`, `evaluate` or `report`.
        recipe: name or path of a recipe (templated).
        data: folder of documents, or `embedded:en` (templated).
        seed: seed of split, training and bootstrap (templated).
        overrides: settings that differ from the recipe's, by dotted key (templated).
        run_dir: the run's folder (templated); all stages of a run share it.
        image: container image that holds `tradewind`; None for a subprocess (templated).
        shard: `2/8`, the part of `extract` that this task does, or which of how many trials of `finetune` it is; None:
            the whole.
        models_dir: the models whose champion `evaluate` compares with (templated); None: those of the DAG.
        gpus: how many GPUs the task has for itself; 0: none is visible to it. They are chosen when
            the task runs; until enough are free it waits. A stage's work with a model is shared by as many processes,
            one on each.
        cluster: the same as operators for a Ray cluster have it, such as `{"nodes": 1, "gpus": 4}`.
        cpus: a limit in cores, of a container only.
        memory: a limit such as `24g`, of a container only; swap adds nothing to it.
        env: environment variables of the stage (templated).
        secrets: environment variables of the stage that are read when the task runs, each from
            `connection:ID` (its password), `variable:KEY` or `env:NAME`, or from the first of several
            that is set. They reach a container on its standard input, so neither Airflow's database
            nor the engine's description of the container holds them.
        pool: Airflow's pool, else the one that `TRADEWIND_GPU_POOL` names for a task with GPUs, which
            then takes as many of its slots.
        queue: the executor's queue, else the one that `TRADEWIND_GPU_QUEUE` names for a task with GPUs, and
            `TRADEWIND_CPU_QUEUE` for one without.
        kwargs: everything else is DockerOperator's: `shm_size`, `mounts`, `network_mode`, `user`, ...
    """

    template_fields: Sequence[str] = (
        *DockerOperator.template_fields, "recipe", "data", "seed", "overrides", "run_dir", "models_dir",
    )  # fmt: skip
    mapped_stage: ClassVar[Stage | None] = None
    """The stage that its mapped tasks do together; None: each is for itself, and none of them is that stage."""

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
        shard: str | None = None,
        models_dir: str | None = None,
        gpus: int = 0,
        cluster: Mapping[str, int] | None = None,
        cpus: float | None = None,
        memory: str | None = None,
        env: Mapping[str, str] | None = None,
        secrets: Mapping[str, SecretReference] | None = None,
        **kwargs: Any,
    ) -> None:
        if refused := sorted(_NOT_TAKEN & set(kwargs)):
            raise TypeError(f"StageOperator takes no {refused[0]}; see its own arguments (env, memory, gpus, ...)")
        part = checked_shard(stage, shard)
        check_limits(gpus, cpus)
        if cluster is None and stage in WITH_TEAM:
            cluster = {"nodes": 1, "gpus": gpus}
        spread = None if cluster is None else Cluster.of(cluster, stage, gpus)
        gpus = gpus if spread is None else spread.gpus
        stated = {*kwargs, *(kwargs.get("default_args") or {})}
        if "trigger_rule" not in stated:
            kwargs["trigger_rule"] = "none_failed"  # a stage goes on after one that was skipped
        kwargs |= pool_and_queue(gpus, stated)
        super().__init__(
            image=image or "",
            mem_limit=memory,
            environment=dict(env or {}),
            mount_tmp_dir=False,
            secrets=secrets,
            **kwargs,
        )
        self.stage = stage
        self.shard = part
        self.recipe = recipe
        self.data = data
        self.seed = seed
        self.overrides = dict(overrides or {})
        self.run_dir = run_dir
        self.models_dir = models_dir
        self.gpus = gpus
        self.processes = 1 if spread is None else spread.processes
        self.cpu_limit = cpus

    def execute(self, context: Context) -> dict[str, Any]:  # type: ignore[override]
        """Run the stage to its end and return its published result.

        Raises:
            AirflowFailException: a fault that no retry can mend, named in one line.
            AirflowException: the stage ended otherwise without a result; a retry resumes it.
            AirflowSkipException: the recipe turned the stage off, or the run leaves it out.
        """
        self._ti = context["ti"]
        self._stop = StopRequest()
        return stage_result(self, context, code=self._code, make=partial(self._made, context), guard=engine_told)

    @property
    def _folder(self) -> str:
        """The name of the stage's folder in the run."""
        return self.shard.folder(self.stage)

    def _made(self, context: Context, config: RunConfig, run_dir: RunDir, identity: Identity, lost: str) -> StageResult:
        choice = GpuChoice(
            self.gpus, self._stop, busy=f"{identity.job_id} {identity.task_id}", processes=self.processes
        )
        if self.image:
            self._run_container(run_dir, config, identity, choice, context)
        elif lost:
            self.log.info("try %s has published its result already", lost)
            self._finished_try = lost
        else:
            self._run_subprocess(run_dir, config, identity, choice)
        return finished_result(run_dir, self._folder, self.stage, job_id=identity.job_id, task_id=self._finished_try)

    def _code(self) -> str:
        """By what the stage is made: two images, or two states of the package, do not make the same."""
        from tradewind.reuse.code import package_digest
        from tradewind_airflow.containers.launch import image_id

        return image_id(self) if self.image else package_digest()

    def _run_container(
        self, run_dir: RunDir, config: RunConfig, identity: Identity, choice: GpuChoice, context: Context
    ) -> None:
        from tradewind_airflow.containers.launch import container_job, in_container

        config_file = write_config(run_dir, self._folder, in_container(config))
        job = container_job(
            self,
            self.stage,
            identity,
            run_dir,
            config,
            shard=self.shard,
            config_file=config_file,
            models=models_of(self, identity),
            choice=choice,
            cpus=self.cpu_limit,
            secrets=self._all_secrets(),
            on_line=self._log_line,
            stop=self._stop,
        )
        self._run_job(job, context)

    def _run_subprocess(self, run_dir: RunDir, config: RunConfig, identity: Identity, choice: GpuChoice) -> None:
        if getproctitle().startswith("airflow worker"):  # set by Airflow's task runner, not by `dags test`
            # The stage dies with this process; so that it also dies with the supervisor, this process must.
            die_with_parent(os.getppid())
        config_file = write_config(run_dir, self._folder, config)
        environment = {
            **cache_environment(model_cache()),
            **answers_environment(self.stage),
            **models_environment(self.stage, models_of(self, identity)),
            **self.environment,
            **self._all_secrets(),
            **identity.environment(),
        }
        self._finished_try = identity.task_id
        while True:
            gpus = choice.take()
            arguments = command_line(self.stage, config_file, run_dir.path, choice.arguments(gpus), self.shard)
            self._child = StageProcess(arguments, environment | choice.process_environment(gpus))
            ended = self._child.run(self._log_line)
            if not choice.was_taken(ended.returncode):
                break
        why = ended.why(stopped=self._stop.requested)
        if ended.returncode == UserError.exit_code:
            raise AirflowFailException(why)
        if ended.returncode == TemporaryError.exit_code:
            raise AirflowException(why)
        if ended.returncode < 0:
            raise AirflowException(f"{self.stage}: {why}")
        if ended.returncode > 0:
            raise AirflowException(f"stage {self.stage} ended with {ended.returncode}: {why}")
