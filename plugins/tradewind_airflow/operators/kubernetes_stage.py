"""One stage of the pipeline as an Airflow task whose work is a Kubernetes pod."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.cncf.kubernetes.backcompat.backwards_compat_converters import convert_volume_mount
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from tradewind.config import RunConfig
from tradewind.results import StageResult
from tradewind.run_dir import RunDir
from tradewind.stages import WITH_TEAM, Stage
from tradewind_airflow.child import command_line
from tradewind_airflow.containers.identity import GENERATION, Identity
from tradewind_airflow.containers.launch import in_container, named_folders
from tradewind_airflow.containers.mounts import (
    answers_environment,
    cache_environment,
    model_cache,
    models_environment,
)
from tradewind_airflow.containers.request import OF_ANY_USER, STOP_GRACE
from tradewind_airflow.containers.retry import retry_follows
from tradewind_airflow.finished import finished_result
from tradewind_airflow.gpus import gpu_pool
from tradewind_airflow.kubernetes.earlier_pod import found_pod, is_followed, last_lines, remove_pod
from tradewind_airflow.kubernetes.ending import cluster_told, pod_failure
from tradewind_airflow.kubernetes.pod import CONTAINER, check_mounted, is_mounted, pod_name, stage_pod
from tradewind_airflow.kubernetes.quantity import memory_quantity
from tradewind_airflow.kubernetes.secret_key import check_secret_keys
from tradewind_airflow.macros import home
from tradewind_airflow.queues import cpu_queue
from tradewind_airflow.shared import check_on_disk
from tradewind_airflow.stage_result import check_limits, checked_shard, models_of, stage_result
from tradewind_airflow.stage_task import write_config

if TYPE_CHECKING:
    from airflow.sdk import Context
    from kubernetes.client import models as k8s

# KubernetesPodOperator's, but what they say is decided here.
_NOT_TAKEN = frozenset(
    {"arguments", "base_container_name", "cmds", "container_resources", "deferrable", "do_xcom_push", "durable",
     "env_vars", "full_pod_spec", "get_logs", "name", "on_finish_action", "on_kill_action", "random_name_suffix",
     "reattach_on_restart", "skip_on_exit_code"}
)  # fmt: skip
_SCHEDULE_LIMIT, _START_LIMIT = 24 * 3600, 1800
"""Seconds that a pod may wait for a node with GPUs, and then for its image, of many gigabytes."""
_ASK_LIMIT = 4.0
"""Seconds that a signal's handler may take: Airflow kills the task's process after five."""


class KubernetesStageOperator(KubernetesPodOperator):
    """Run one stage as a pod; arguments, result, cache and skipping are those of `StageOperator`.

    A pod outlives the loss of its worker: the retry finds it by its name and follows it. It is deleted when the task
    is cleared or marked otherwise. The worker itself needs no GPU and no engine, only the same volume as the pod.

    Args:
        stage: `extract`, `prepare`, `baseline`, `adapt`, `finetune`, `evaluate` or `report`.
        image: container image that holds `tradewind` (templated). Name a version or a digest: where only a name's
            meaning changed, an earlier run's result still counts as made by the same.
        volume_claim: a PersistentVolumeClaim whose volume holds all runs and that the worker has mounted, too.
        mount_path: where both have it; None: `TRADEWIND_HOME`.
        recipe, data, seed, overrides, run_dir, shard, models_dir: as StageOperator's. Documents and models of one's own
            lie on a volume of the pod's.
        gpus: how many GPUs the pod gets for itself, as the limit `gpu_resource`; 0: none is visible to it. A stage's
            work with a model is shared by as many processes, one on each.
        gpu_resource: what the cluster's device plugin calls a GPU.
        cpus: a limit in cores, which are kept for it.
        memory: a limit such as `24g` or `24Gi`, which is kept for it.
        shm_size: of `/dev/shm`, such as `8g`; it counts as memory. None: 64 MB in most clusters.
        env: environment variables of the stage (templated).
        secrets: environment variables of the stage, each from a key of a Kubernetes Secret of the pod's namespace,
            `secret:NAME/KEY`; one that is absent is left out. Airflow and the pod's description never hold a value.
        kwargs: everything else is KubernetesPodOperator's: `namespace`, `node_selector`, `tolerations`, `affinity`,
            `volumes`, `volume_mounts`, `image_pull_secrets`, `kubernetes_conn_id`, ...
    """

    template_fields: Sequence[str] = (
        *KubernetesPodOperator.template_fields, "recipe", "data", "seed", "overrides", "run_dir", "models_dir", "env",
        "volume_claim",
    )  # fmt: skip
    mapped_stage: ClassVar[Stage | None] = None
    """As StageOperator's."""

    def __init__(
        self,
        *,
        stage: Stage,
        image: str,
        volume_claim: str,
        mount_path: str | None = None,
        recipe: str = "{{ params.recipe }}",
        data: str = "{{ params.data }}",
        seed: str | int = "{{ params.seed }}",
        overrides: Mapping[str, Any] | None = None,
        run_dir: str = "{{ macros.tradewind.run_dir(dag.dag_id, run_id) }}",
        shard: str | None = None,
        models_dir: str | None = None,
        gpus: int = 0,
        gpu_resource: str = "nvidia.com/gpu",
        cpus: float | None = None,
        memory: str | None = None,
        shm_size: str | None = None,
        env: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        if refused := sorted(_NOT_TAKEN & set(kwargs)):
            raise TypeError(f"KubernetesStageOperator takes no {refused[0]}; see its own arguments (env, memory, ...)")
        if not image:
            raise ValueError("image: a pod needs one; see `make images`")
        part = checked_shard(stage, shard)
        check_limits(gpus, cpus)
        check_secret_keys(secrets or {})
        limits = {gpu_resource: str(gpus) if gpus else None, "cpu": None if cpus is None else str(cpus),
                  "memory": None if memory is None else memory_quantity(memory)}  # fmt: skip
        if shm_size is not None:
            memory_quantity(shm_size)
        stated = {*kwargs, *(kwargs.get("default_args") or {})}
        defaults: dict[str, Any] = {
            "trigger_rule": "none_failed",  # a stage goes on after one that was skipped
            "queue": cpu_queue(),  # its worker only waits
            "schedule_timeout_seconds": _SCHEDULE_LIMIT,
            "startup_timeout_seconds": _START_LIMIT,
            "termination_grace_period": STOP_GRACE,
            "container_name_log_prefix_enabled": False,
            "log_pod_spec_on_failure": False,
            "log_events_on_failure": True,
            **({} if {"pool", "pool_slots"} & stated else gpu_pool(gpus)),
        }
        super().__init__(
            image=image, random_name_suffix=False, base_container_name=CONTAINER, deferrable=False, durable=True,
            do_xcom_push=False,  # of KubernetesPodOperator's kind, by a container beside the stage's
            **{name: value for name, value in defaults.items() if name not in stated}, **kwargs,
        )  # fmt: skip
        self.stage = stage
        self.shard = part
        self.recipe = recipe
        self.data = data
        self.seed = seed
        self.overrides = dict(overrides or {})
        self.run_dir = run_dir
        self.models_dir = models_dir
        self.volume_claim = volume_claim
        self.mount_path = mount_path
        self.gpus = gpus
        self.processes = max(1, gpus) if stage in WITH_TEAM else 1
        self.limits = {name: value for name, value in limits.items() if value is not None}
        self.shm_size = shm_size
        self.env = dict(env or {})
        self.secret_keys = dict(secrets or {})
        self._ti: Any = None

    def execute(self, context: Context) -> None:
        """Run the stage to its end; its published result is the task's XCom.

        Raises:
            AirflowFailException: a fault that no retry can mend, named in one line.
            AirflowException: the stage ended otherwise without a result; a retry resumes it.
            AirflowSkipException: the recipe turned the stage off, or the run leaves it out.
        """
        self._ti = context["ti"]
        self._killed = False
        result = stage_result(
            self, context, code=lambda: str(self.image), make=partial(self._made, context), guard=cluster_told
        )
        # Airflow takes what `execute` returns only with `do_xcom_push`, which means a second container here.
        context["ti"].xcom_push("return_value", result)

    def on_kill(self) -> None:
        """Delete the pod with its task: marked failed or skipped, cleared, or timed out.

        Airflow calls this as well when only the worker is told to end. The pod is then left to the retry.

        Raises:
            AirflowException: the pod was left; ends `execute` where this runs in a signal's handler.
        """
        timed_out = isinstance(sys.exc_info()[1], AirflowTaskTimeout)
        if self.pod is not None and not timed_out and self._is_to_go_on():
            self._killed = True  # so that `cleanup` leaves it, too
            raise AirflowException(f"{self.task_id}: the worker is ending; the pod goes on and a retry follows it")
        super().on_kill()

    def get_or_create_pod(self, pod_request_obj: k8s.V1Pod, context: Context) -> k8s.V1Pod:
        """The pod of an earlier try that is at work, else a new one, once none stands in its way.

        Raises:
            AirflowFailException: an earlier try's pod ended while nobody looked, in a way that no retry can mend.
            AirflowException: the task was stopped meanwhile.
        """
        wanted = pod_request_obj.metadata
        earlier = found_pod(self.client, wanted.name, wanted.namespace)
        if earlier is not None and not is_followed(earlier, int(wanted.labels[GENERATION])):
            self._forget(earlier, int(wanted.labels[GENERATION]))
        made = super().get_or_create_pod(pod_request_obj, context)
        if self._killed:  # it came while nobody could find this pod yet
            self.client.delete_namespaced_pod(wanted.name, wanted.namespace)
            raise AirflowException(f"{self.task_id}: stopped before its pod started")
        return made

    def cleanup(
        self,
        pod: k8s.V1Pod,
        remote_pod: k8s.V1Pod,
        xcom_result: dict[Any, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        """Delete the pod and say why it ended, where it did not end well."""
        under_way = sys.exc_info()[1]
        why = None
        if remote_pod is not None and not self._killed and under_way is None:
            why = self._why(remote_pod)
        try:
            super().cleanup(pod, remote_pod, xcom_result, context)
        except AirflowException:
            if under_way is None:
                raise (why or AirflowException(f"{self.task_id}: its pod did not end well; see its events")) from None

    def _made(self, context: Context, config: RunConfig, run_dir: RunDir, identity: Identity, lost: str) -> StageResult:
        check_on_disk(run_dir.path, "a pod")
        self.name = pod_name(identity, run_dir.path)
        self.labels = {**self.labels, GENERATION: str(identity.generation)}
        self.full_pod_spec = self._stage_pod(config, run_dir, identity)
        self.pod_request_obj = self.build_pod_request_obj(context)
        if lost:
            self.log.info("try %s has published its result already", lost)
            finished = lost
            self._remove_left(self.pod_request_obj)
        else:
            self.execute_sync(context)
            if self._killed:  # the provider returns as if the pod had ended well
                raise AirflowException(f"{self.task_id}: its pod was stopped with it")
            assert self.pod is not None  # noqa: S101 - for the types
            # An earlier try's, if this one took its pod over.
            finished = f"{identity.task}/{self.pod.metadata.labels['try_number']}"
        return finished_result(
            run_dir, self.shard.folder(self.stage), self.stage, job_id=identity.job_id, task_id=finished
        )

    def _stage_pod(self, config: RunConfig, run_dir: RunDir, identity: Identity) -> k8s.V1Pod:
        config = in_container(config)
        folder = self.shard.folder(self.stage)
        champion = models_environment(self.stage, models_of(self, identity))
        mount_path = Path(self.mount_path) if self.mount_path else home().resolve()
        own = [Path(convert_volume_mount(one).mount_path) for one in self.volume_mounts]
        mounts = [mount_path, *own]
        check_mounted([run_dir.path, *named_folders(config), *map(Path, champion.values())], mounts)
        shared = cache_environment(model_cache()) | answers_environment(self.stage)
        config_file = write_config(run_dir, folder, config)
        flags = ["--processes", str(self.processes)] if self.processes > 1 else []
        return stage_pod(
            identity,
            image=str(self.image),
            arguments=command_line(self.stage, config_file, run_dir.path, flags, self.shard),
            env={
                **OF_ANY_USER,
                **champion,
                **{name: path for name, path in shared.items() if is_mounted(Path(path), mounts)},
                **({} if self.gpus else {"NVIDIA_VISIBLE_DEVICES": "void"}),  # many images say "all"
                **self.env,
                **identity.environment(),
            },
            secrets=self.secret_keys,
            claim=self.volume_claim,
            mount_path=mount_path,
            resources=self.limits,
            shm_size=self.shm_size,
        )

    def _remove_left(self, made: k8s.V1Pod) -> None:
        """The pod whose result is there; that it cannot be removed must not cost the result."""
        try:
            earlier = found_pod(self.client, made.metadata.name, made.metadata.namespace)
            if earlier is not None:
                remove_pod(self.client, earlier)
        except (ApiException, HTTPError, AirflowException) as error:
            self.log.warning("pod %s is left: %s", made.metadata.name, error)

    def _forget(self, earlier: k8s.V1Pod, generation: int) -> None:
        """Remove an earlier try's pod that is over; raise where it says that no retry can help."""
        why = None
        if (earlier.metadata.labels or {}).get(GENERATION) == str(generation):
            why = self._why(earlier)
            if why is not None:
                self.log.warning("an earlier try's pod ended while nobody followed it: %s", why)
        remove_pod(self.client, earlier)
        if isinstance(why, AirflowFailException):
            raise why

    def _why(self, pod: k8s.V1Pod) -> AirflowException | None:
        return pod_failure(self.task_id, pod, CONTAINER, last_lines(self.client, pod))

    def _is_to_go_on(self) -> bool:
        """Ask Airflow, in a thread: what a signal's handler interrupted may hold the lock that asking needs."""
        answers: list[bool] = []
        asker = threading.Thread(target=lambda: answers.append(retry_follows(self._ti)), daemon=True)
        asker.start()
        asker.join(_ASK_LIMIT)
        return answers == [True]
