"""What every task has whose container outlives its worker: it is found again, followed to its end, stopped."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk.bases.resumablejobmixin import ResumableJobMixin
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout
from airflow.sdk.log import mask_secret
from docker.errors import DockerException
from requests.exceptions import RequestException

from tradewind_airflow.child import StageProcess
from tradewind_airflow.containers.job import ContainerJob
from tradewind_airflow.containers.retry import has_retry, retry_follows
from tradewind_airflow.secret_references import SecretReference, check_references, read_secrets
from tradewind_airflow.stage_task import forget_id, log_line
from tradewind_airflow.stop_request import StopRequest

if TYPE_CHECKING:
    from airflow.sdk import Context


class FollowedContainer(ResumableJobMixin, DockerOperator):
    """A task of one container; a subclass makes the `ContainerJob` and hands it to `_run_job`."""

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
        """Stop what runs with its task: marked failed or skipped, cleared, or timed out.

        Airflow calls this as well when only the worker is told to end. A container is then left to
        the retry.

        Raises:
            AirflowException: the container was left; ends `execute` where this runs in a signal's handler.
        """
        self._stop.requested = True
        if self._child is not None:
            self._child.stop()
        timed_out = isinstance(sys.exc_info()[1], AirflowTaskTimeout)
        if self._job is not None and self._job.stop(lambda: not timed_out and retry_follows(self._ti)):
            raise AirflowException(
                f"{self.task_id}: the worker is ending; the container goes on and a retry follows it"
            )

    def submit_job(self, context: Context) -> str:
        """Start the container; ResumableJobMixin keeps the id that this returns."""
        del context
        return self._running_job.submit()

    def get_job_status(self, external_id: Any, context: Context) -> str:
        """`running`, `succeeded`, `failed` or `gone`."""
        del context
        return self._running_job.status(external_id)

    def is_job_active(self, status: str) -> bool:
        """Whether a retry follows this container: also one that ended well, for the rest of its log."""
        return status in ("running", "succeeded")

    def is_job_succeeded(self, status: str) -> bool:
        """No container is left at once: see `is_job_active`."""
        del status
        return False

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

    def get_job_result(self, external_id: Any, context: Context) -> None:
        """Nothing: the result is read from the run's folder, whichever way the container came to its end."""
        del external_id, context

    @property
    def _running_job(self) -> ContainerJob:
        if self._job is None:
            raise RuntimeError("a container is asked for outside of execute")
        return self._job

    def _run_job(self, job: ContainerJob, context: Context) -> None:
        """Start the container or find it again, and follow it; `_finished_try` is then whose result it left."""
        self._job = job
        try:
            job.claim()
            job.clear_others()
            self._finished_try = job.finished_before()
            if not self._finished_try:
                self.execute_resumable(context)
        except AirflowFailException:
            raise
        except Exception:
            if not self._stop.requested and not has_retry(self._ti):
                job.stop(lambda: False)  # nobody would follow it
            raise
        finally:
            job.finish()

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
