"""A stage with a model as a job of a Ray cluster, on one of its nodes or several."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.log_line import log_line
from tradewind.results import StageResult
from tradewind.run_dir import RunDir
from tradewind.shard import WHOLE
from tradewind.stages import WITH_TEAM, Stage
from tradewind_airflow.child import command_line
from tradewind_airflow.cluster import Cluster
from tradewind_airflow.containers.claim import Claim
from tradewind_airflow.containers.identity import Identity
from tradewind_airflow.containers.mounts import answers_environment, models_environment
from tradewind_airflow.finished import finished_result
from tradewind_airflow.operators.followed_job import FollowedJob
from tradewind_airflow.ray_jobs.cluster import RayCluster
from tradewind_airflow.ray_jobs.ray_job import RayJob
from tradewind_airflow.ray_jobs.submission import (
    check_env,
    for_cluster,
    job_name,
    job_request,
    named_otherwise,
    on_cluster,
)
from tradewind_airflow.shared import check_on_disk
from tradewind_airflow.stage_result import models_of, stage_result
from tradewind_airflow.stage_task import forget_id, write_config
from tradewind_airflow.stop_request import StopRequest

if TYPE_CHECKING:
    from airflow.sdk import Context

_WORKER = re.compile(r"^\(RayTrainWorker pid=\d+(, ip=[^)]*)?\) ")
"""What Ray writes before a line of a worker's; the first worker alone says what all do."""
_RESULT_LIMIT = 60.0
"""Seconds in which a shared folder shows this worker what another node has written."""


class RayStageOperator(FollowedJob[RayJob], BaseOperator):
    """Run a stage with a model as a job of a Ray cluster that is there already.

    Several workers share the training, or the questions, by Ray Train, and begin again where one is lost: a training
    from its newest checkpoint. The run's folder lies on storage that its nodes and this worker share; the task's XCom
    is the `StageResult` read from there.

    The job outlives the loss of this worker: the retry finds and follows it, by a submission id that is the same
    for all tries. It ends when the task is cleared, marked otherwise, or timed out. Ray itself decides which GPUs
    it gets: Tradewind's leases and Airflow's GPU pool do not count here.

    Args:
        stage: `baseline`, `adapt`, `finetune` or `evaluate`.
        recipe: name or path of a recipe (templated).
        data: folder of documents, or `embedded:en` (templated).
        seed: seed of split, training and bootstrap (templated).
        overrides: settings that differ from the recipe's, by dotted key (templated).
        run_dir: the run's folder (templated); all stages of a run share it.
        models_dir: the models whose champion `evaluate` compares with (templated); None: those of the DAG.
        cluster: such as `{"nodes": 2, "gpus": 4}`: eight workers, a GPU each, of which Ray puts as many on a node as it
            holds; `gpus` of 0: a worker a node, without a GPU. One worker is the job's own process.
        cpus_per_worker: cores that each takes.
        ray_conn_id: a connection: host and port of the cluster's dashboard, and as password the cluster's token.
        paths: for shared folders that the cluster's nodes name otherwise than this worker: its name, and theirs.
        python: the nodes' Python that has `tradewind[train,ray]`, of this worker's version.
        env: environment variables of the job, which Ray shows to whoever sees its dashboard (templated). Secrets, as
            the key of the judge that `evaluate` asks, belong into the environment of the nodes themselves.
        entrypoint_num_cpus: cores of the job's own process, where it has workers.
        entrypoint_memory: bytes of memory of that process, which merges the trained adapter and scores answers.
        entrypoint_resources: custom resources that say on which node it runs.
    """

    template_fields: Sequence[str] = (
        "recipe", "data", "seed", "overrides", "run_dir", "models_dir", "ray_conn_id", "paths", "env",
    )  # fmt: skip
    what = "Ray job"
    external_id_key = "tradewind_ray_job"

    def __init__(
        self,
        *,
        stage: Literal["baseline", "adapt", "finetune", "evaluate"],
        recipe: str = "{{ params.recipe }}",
        data: str = "{{ params.data }}",
        seed: str | int = "{{ params.seed }}",
        overrides: Mapping[str, Any] | None = None,
        run_dir: str = "{{ macros.tradewind.run_dir(dag.dag_id, run_id) }}",
        models_dir: str | None = None,
        cluster: Mapping[str, int] | None = None,
        cpus_per_worker: int = 1,
        ray_conn_id: str = "ray_default",
        paths: Mapping[str, str] | None = None,
        python: str = "python",
        env: Mapping[str, str] | None = None,
        entrypoint_num_cpus: float | None = None,
        entrypoint_memory: int | None = None,
        entrypoint_resources: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if stage not in WITH_TEAM:
            raise ValueError(f"stage {stage!r}: only stages with a model run on a Ray cluster: {', '.join(WITH_TEAM)}")
        if relative := [name for pair in (paths or {}).items() for name in pair if not name.startswith("/")]:
            raise ValueError(f"paths: {relative[0]!r} is no folder named from the root")
        if isinstance(cpus_per_worker, bool) or not isinstance(cpus_per_worker, int) or cpus_per_worker < 1:
            raise TypeError(f"cpus_per_worker is how many cores, such as 8, not {cpus_per_worker!r}")
        check_env(env or {})
        if "trigger_rule" not in {*kwargs, *(kwargs.get("default_args") or {})}:
            kwargs["trigger_rule"] = "none_failed"  # a stage goes on after one that was skipped
        super().__init__(**kwargs)
        self.stage: Stage = stage
        self.shard = WHOLE
        self.recipe = recipe
        self.data = data
        self.seed = seed
        self.overrides = dict(overrides or {})
        self.run_dir = run_dir
        self.models_dir = models_dir
        self.ray_conn_id = ray_conn_id
        self.paths = dict(paths or {})
        self.python = python
        self.env = dict(env or {})
        self.cluster = Cluster.of({"nodes": 1, "gpus": 1} if cluster is None else cluster, stage, on_ray=True)
        self.processes = self.cluster.processes
        self.cpus_per_worker = cpus_per_worker
        is_alone = self.processes == 1
        stated = {
            "entrypoint_num_cpus": cpus_per_worker if is_alone else entrypoint_num_cpus,
            "entrypoint_num_gpus": self.cluster.gpus if is_alone else None,
            "entrypoint_memory": entrypoint_memory,
            "entrypoint_resources": dict(entrypoint_resources or {}),
        }
        self.own_resources = {name: value for name, value in stated.items() if value}
        self._stop = StopRequest()
        self._job: RayJob | None = None
        self._finished_try = ""
        self._ti: Any = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the stage to its end and return its published result.

        Raises:
            AirflowFailException: a fault that no retry can mend, named in one line.
            AirflowException: the stage ended otherwise without a result; a retry resumes it.
            AirflowSkipException: the recipe turned the stage off, or the run leaves it out.
        """
        self._ti = context["ti"]
        self._stop = StopRequest()
        return stage_result(self, context, code=self._code, make=partial(self._made, context))

    def poll_until_complete(self, external_id: Any, context: Context) -> None:
        """Pass on the job's log until its end; raise where that was no success."""
        self._finished_try = self._running_job.follow(str(external_id))
        self._job = None  # what comes to its end now has no job that a signal should stop or leave
        forget_id(self.log, context.get("task_state_store"), self.external_id_key)

    def _code(self) -> str:
        """By what the stage is made: the cluster's nodes have this worker's version of the package."""
        from tradewind.reuse.code import package_digest

        return package_digest()

    def _made(self, context: Context, config: RunConfig, run_dir: RunDir, identity: Identity, lost: str) -> StageResult:
        check_on_disk(run_dir.path, "a Ray job")
        cluster = RayCluster.of_connection(self.ray_conn_id)
        if lost:
            self.log.info("try %s has published its result already", lost)
            self._finished_try = lost
        else:
            cluster.check()
            self._run_job(cluster, config, run_dir, identity, context)
        return self._result(run_dir, identity)

    def _run_job(
        self, cluster: RayCluster, config: RunConfig, run_dir: RunDir, identity: Identity, context: Context
    ) -> None:
        from tradewind_airflow.containers.launch import in_container

        config_file = write_config(run_dir, self.stage, for_cluster(in_container(config), self.paths))
        there = {path: Path(on_cluster(path, self.paths)) for path in (config_file, run_dir.path)}
        env = {**self._shared_folders(run_dir, identity), **self.env}
        command = [self.python, "-m", "tradewind", *command_line(
            self.stage, there[config_file], there[run_dir.path], self._workers(), WHOLE
        )]  # fmt: skip
        job = RayJob(
            cluster,
            identity,
            job_name(identity, str(there[run_dir.path])),
            Claim(run_dir.path, self.stage, identity.owner),
            request=lambda submitted: job_request(submitted, identity, command, env=env, resources=self.own_resources),
            on_line=lambda line: log_line(self.log, _WORKER.sub("", line)),
            stop=self._stop,
        )
        with self._looked_after(job):
            self.execute_resumable(context)

    def _shared_folders(self, run_dir: RunDir, identity: Identity) -> dict[str, str]:
        """Those beside the run's: of the champion, and of the answers that are kept for all runs, if the nodes see it.

        Raises:
            UserError: they may not see the champion.
        """
        named = named_otherwise(run_dir.path, self.paths)
        champion = models_environment(self.stage, models_of(self, identity))
        for folder in champion.values():
            if named and not named_otherwise(Path(folder), self.paths):
                raise UserError(
                    f"{folder}: the champion is looked for there, but `paths` does not say how the cluster's nodes "
                    "name it; name the whole of TRADEWIND_HOME there"
                )
        answers = {
            name: folder
            for name, folder in answers_environment(self.stage).items()
            if not named or named_otherwise(Path(folder), self.paths)
        }
        return {name: on_cluster(Path(folder), self.paths) for name, folder in (champion | answers).items()}

    def _workers(self) -> list[str]:
        workers = self.processes
        if workers == 1:
            return []
        no_gpu = [] if self.cluster.gpus else ["--ray-no-gpu"]
        return ["--ray-workers", str(workers), "--ray-cpus", str(self.cpus_per_worker), *no_gpu]

    def _result(self, run_dir: RunDir, identity: Identity) -> StageResult:
        """What the job published, as soon as the shared folder shows it here."""
        deadline = time.monotonic() + _RESULT_LIMIT
        while True:
            try:
                return finished_result(
                    run_dir, self.stage, self.stage, job_id=identity.job_id, task_id=self._finished_try
                )
            except UserError as error:
                if time.monotonic() < deadline and not self._stop.wait(1.0):
                    continue
                raise UserError(
                    f"{error}; the Ray job ended well: is {run_dir.path} on storage that the cluster shares, and does "
                    "`paths` say how its nodes name it?"
                ) from error


class RayBaselineOperator(RayStageOperator):
    """The base's answers to the held-out questions by a Ray cluster; `evaluate` finds them made."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(stage="baseline", **kwargs)


class RayAdaptOperator(RayStageOperator):
    """Domain-adaptive pretraining on a Ray cluster; publishes `adapt/model`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(stage="adapt", **kwargs)


class RayFinetuneOperator(RayStageOperator):
    """LoRA fine-tuning on a Ray cluster; publishes `finetune/adapter` and `finetune/model`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(stage="finetune", **kwargs)


class RayEvaluateOperator(RayStageOperator):
    """Base, adapted and tuned on the held-out questions by a Ray cluster; publishes `evaluate/scores.json`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(stage="evaluate", **kwargs)
