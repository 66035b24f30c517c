"""What every task has whose container outlives its worker: it is found again, followed to its end, stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk.exceptions import AirflowException
from airflow.sdk.log import mask_secret
from docker.errors import DockerException
from requests.exceptions import RequestException

from tradewind.log_line import log_line
from tradewind_airflow.child import StageProcess
from tradewind_airflow.containers.job import ContainerJob
from tradewind_airflow.operators.followed_job import FollowedJob
from tradewind_airflow.secret_references import SecretReference, check_references, read_secrets
from tradewind_airflow.stage_task import forget_id
from tradewind_airflow.stop_request import StopRequest

if TYPE_CHECKING:
    from airflow.sdk import Context


class FollowedContainer(FollowedJob[ContainerJob], DockerOperator):
    """A task of one container; a subclass makes the `ContainerJob` and hands it to `_run_job`."""

    what = "container"
    external_id_key = "tradewind_container"

    def __init__(self, *, secrets: Mapping[str, SecretReference] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_references(secrets or {})
        self.secrets = dict(secrets or {})
        self._stop = StopRequest()
        self._child: StageProcess | None = None
        self._job: ContainerJob | None = None
        self._finished_try = ""
        self._ti: Any = None

    def on_kill(self) -> None:
        """Stop what runs with its task, as FollowedJob's; a subprocess ends in any case.

        Raises:
            AirflowException: the container was left to a retry.
        """
        self._stop.requested = True
        if self._child is not None:
            self._child.stop()
        super().on_kill()

    def poll_until_complete(self, external_id: Any, context: Context) -> None:
        """Pass on the container's log until its end; raise where that was no success."""
        job = self._running_job
        store = context.get("task_state_store")
        keep = (lambda new: store.set(self.external_id_key, new)) if store is not None else (lambda _: None)
        try:
            self._finished_try = job.follow(external_id, keep)
        finally:
            self._job = None  # what comes to its end now has no container that a signal should stop or leave
            forget_id(self.log, store, self.external_id_key)

    def _run_job(self, job: ContainerJob, context: Context) -> None:
        """Start the container or find it again, and follow it; `_finished_try` is then whose result it left."""
        with self._looked_after(job):
            self._finished_try = job.finished_before()
            if not self._finished_try:
                self.execute_resumable(context)

    def _all_secrets(self) -> dict[str, str]:
        for secret in self._private_environment.values():
            mask_secret(secret)
        return {**self._private_environment, **read_secrets(self.secrets)}

    def _log_line(self, line: str) -> None:
        log_line(self.log, line)


@contextmanager
def engine_told() -> Iterator[None]:
    """A fault of the engine's as one line, which a retry may mend."""
    try:
        yield
    except (DockerException, RequestException) as error:
        raise AirflowException(f"the Docker engine: {' '.join(str(error).split())}") from error
