"""The pod of one stage, as far as it does not depend on the cluster."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from kubernetes.client import models as k8s

from tradewind.errors import UserError
from tradewind_airflow.containers.identity import GENERATION, JOB, TASK, Identity
from tradewind_airflow.kubernetes.quantity import memory_quantity
from tradewind_airflow.kubernetes.secret_key import secret_variables

CONTAINER = "base"
"""KubernetesPodOperator's name for the container whose end is the pod's."""
_HOME, _SHM = "tradewind-home", "tradewind-shm"
_LONGEST = 63
"""Characters of a label, which a pod's host name is."""


def pod_name(identity: Identity, run_dir: Path) -> str:
    """One name for all tries of a task, so that the cluster itself refuses a second pod.

    Args:
        run_dir: two Airflows in one namespace differ in it.
    """
    readable, _, digest = identity.container_name(str(run_dir)).rpartition("-")
    head = re.sub(r"[^a-z0-9]+", "-", readable.lower())
    return f"{head[: _LONGEST - len(digest) - 1].rstrip('-')}-{digest}"


def check_mounted(paths: Sequence[Path], mounts: Sequence[Path]) -> None:
    """UserError where the pod would not see one of these folders."""
    for path in paths:
        if not is_mounted(path, mounts):
            listed = ", ".join(map(str, mounts))
            raise UserError(
                f"{path}: the pod has no volume there, only at {listed}; put it below one of these, or mount another "
                "volume (volumes, volume_mounts)"
            )


def is_mounted(path: Path, mounts: Sequence[Path]) -> bool:
    """Whether the pod sees this folder."""
    return any(path.is_relative_to(mount) for mount in mounts)


def stage_pod(
    identity: Identity,
    *,
    image: str,
    arguments: Sequence[str],
    env: Mapping[str, str],
    secrets: Mapping[str, str],
    claim: str,
    mount_path: Path,
    resources: Mapping[str, str],
    shm_size: str | None,
) -> k8s.V1Pod:
    """What KubernetesPodOperator completes with its own arguments: labels, selectors, tolerations, more volumes.

    Args:
        arguments: those of `tradewind`.
        secrets: `secret:NAME/KEY` by variable.
        claim: the claim of the volume that holds all runs, mounted at `mount_path`.
        resources: limits, which are requests as well: what a stage may use is kept for it.
    """
    volumes = [
        k8s.V1Volume(
            name=_HOME, persistent_volume_claim=k8s.V1PersistentVolumeClaimVolumeSource(claim_name=claim)
        )
    ]  # fmt: skip
    mounts = [k8s.V1VolumeMount(name=_HOME, mount_path=str(mount_path))]
    if shm_size is not None:
        shared = k8s.V1EmptyDirVolumeSource(medium="Memory", size_limit=memory_quantity(shm_size))
        volumes.append(k8s.V1Volume(name=_SHM, empty_dir=shared))
        mounts.append(k8s.V1VolumeMount(name=_SHM, mount_path="/dev/shm"))  # noqa: S108 - it is this very folder
    container = k8s.V1Container(
        name=CONTAINER,
        image=image,
        command=["python", "-m", "tradewind"],
        args=list(arguments),
        env=[*(k8s.V1EnvVar(name=name, value=value) for name, value in env.items()), *secret_variables(secrets)],
        resources=k8s.V1ResourceRequirements(limits=dict(resources), requests=dict(resources)),
        volume_mounts=mounts,
        security_context=k8s.V1SecurityContext(
            allow_privilege_escalation=False, capabilities=k8s.V1Capabilities(drop=["ALL"])
        ),
    )
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(
            labels={GENERATION: str(identity.generation)},
            # A label takes no slash.
            annotations={JOB: identity.job_id, TASK: identity.task_id},
        ),
        spec=k8s.V1PodSpec(
            containers=[container],
            volumes=volumes,
            share_process_namespace=True,  # as PID 1 Python would ignore SIGTERM, and nobody would reap its children
            enable_service_links=False,
            automount_service_account_token=False,
            # The worker's own user: what a stage writes is the worker's to read, move and delete.
            security_context=k8s.V1PodSecurityContext(
                run_as_user=os.getuid(),
                run_as_group=os.getgid(),
                seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
            ),
        ),
    )
