"""The pod that an earlier try of a task left in the cluster."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException
from kubernetes.client.exceptions import ApiException

from tradewind_airflow.containers.identity import GENERATION
from tradewind_airflow.kubernetes.ending import ended_container
from tradewind_airflow.kubernetes.pod import CONTAINER
from tradewind_airflow.last_words import KEPT_LINES

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api
    from kubernetes.client import models as k8s

log = logging.getLogger("tradewind_airflow")
_PAUSE = 0.5
_REMOVE_LIMIT = 120.0


def found_pod(api: CoreV1Api, name: str, namespace: str) -> k8s.V1Pod | None:
    """The pod of this name; None where there is none."""
    try:
        return api.read_namespaced_pod(name, namespace)
    except ApiException as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise


def is_followed(pod: k8s.V1Pod, generation: int) -> bool:
    """Whether a retry follows this pod: it is at work, and of no time before the task was cleared."""
    at_work = pod.status.phase in ("Pending", "Running", "Unknown") and ended_container(pod, CONTAINER) is None
    ours = (pod.metadata.labels or {}).get(GENERATION) == str(generation)
    return at_work and ours and pod.metadata.deletion_timestamp is None


def remove_pod(api: CoreV1Api, pod: k8s.V1Pod) -> None:
    """Delete it and return when it is gone: a new one has its name.

    Raises:
        AirflowException: the cluster does not get rid of it.
    """
    name, namespace = pod.metadata.name, pod.metadata.namespace
    log.info("pod %s: of an earlier try; removing it", name)
    deadline = time.monotonic() + _REMOVE_LIMIT
    with suppress(ApiException):  # gone already, or asked for again below
        api.delete_namespaced_pod(name, namespace)
    while (there := found_pod(api, name, namespace)) is not None and there.metadata.uid == pod.metadata.uid:
        if time.monotonic() > deadline:
            raise AirflowException(
                f"pod {name}: the cluster does not remove it; look at its node, or remove it by hand "
                f"(kubectl delete pod {name} --namespace {namespace} --force)"
            )
        time.sleep(_PAUSE)


def last_lines(api: CoreV1Api, pod: k8s.V1Pod) -> list[str]:
    """What its stage printed last; nothing where the cluster keeps no log of it."""
    try:
        # Raw: the client makes text of the bytes' representation.
        answer = api.read_namespaced_pod_log(
            pod.metadata.name, pod.metadata.namespace, container=CONTAINER, tail_lines=KEPT_LINES,
            _preload_content=False,
        )  # fmt: skip
    except ApiException:
        return []
    return [line for line in answer.data.decode(errors="replace").splitlines() if line.strip()]
