"""How a pod ended, as the error that tells Airflow whether to try again and the user what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.kubernetes_helper_functions import PodLaunchFailedException
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from tradewind_airflow.containers.ending import failure

if TYPE_CHECKING:
    from kubernetes.client import models as k8s

_NOT_STARTED = ("StartError", "ContainerCannotRun", "RunContainerError")
_NO_COMMAND = 127
_FINAL = (400, 401, 403, 404, 422)


def ended_container(pod: k8s.V1Pod, name: str) -> k8s.V1ContainerStateTerminated | None:
    """How the pod's container of this name ended; None while it has not, or where nothing is known of it."""
    for status in (pod.status and pod.status.container_statuses) or ():
        if status.name == name and status.state is not None:
            return status.state.terminated
    return None


def pod_failure(stage: str, pod: k8s.V1Pod, name: str, last_lines: Sequence[str]) -> AirflowException | None:
    """The exception for a pod whose container did not end well; None where it did, or is not known to have ended.

    Args:
        stage: the task, for the message.
        name: of the container.
        last_lines: what it printed last.
    """
    if pod.status.reason in ("Evicted", "Preempting", "NodeLost", "Shutdown", "Terminated"):
        said = " ".join(str(pod.status.message or "").split())
        return AirflowException(
            f"{stage}: the cluster took its pod away ({pod.status.reason}: {said}); a retry goes on from the newest "
            "checkpoint"
        )
    ended = ended_container(pod, name)
    if ended is None or ended.exit_code == 0:
        return None
    state: dict[str, Any] = {
        "ExitCode": _NO_COMMAND if ended.reason in _NOT_STARTED else ended.exit_code,
        "OOMKilled": ended.reason == "OOMKilled",
        "Error": " ".join((ended.message or "").split()) if ended.reason in _NOT_STARTED else "",
    }
    return failure(stage, str(pod.spec.containers[0].image), state, last_lines)


@contextmanager
def cluster_told() -> Iterator[None]:
    """One line for what the cluster's API refuses, and a retry only where that can help.

    Raises:
        AirflowFailException: the request is wrong, or a right is missing.
        AirflowException: the API does not answer, or has no room.
    """
    try:
        yield
    except ApiException as error:
        said = _said(error)
        gone = error.status == HTTPStatus.NOT_FOUND and said.startswith("pods ")  # somebody deleted it, or a node left
        final = error.status in _FINAL and "exceeded quota" not in said and not gone
        kind = AirflowFailException if final else AirflowException
        hint = (
            "; the service account needs create, get, list, watch, patch and delete on pods, get on pods/log, and list "
            "and watch on events"
            if error.status == HTTPStatus.FORBIDDEN and final
            else ""
        )
        raise kind(f"Kubernetes: {said}{hint}") from error
    except ConfigException as error:
        raise AirflowFailException(
            f"Kubernetes: no cluster is configured ({_line(error)}); run the worker in the cluster, or give the "
            "connection kubernetes_default a kubeconfig"
        ) from error
    except HTTPError as error:
        raise AirflowException(f"Kubernetes: its API does not answer: {_line(error)}") from error
    except PodLaunchFailedException as error:
        raise AirflowException(f"Kubernetes: the pod does not start: {_line(error)}") from error


def _said(error: ApiException) -> str:
    """The API's own words, which are a `Status` as JSON."""
    try:
        return " ".join(str(json.loads(error.body)["message"]).split())
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
