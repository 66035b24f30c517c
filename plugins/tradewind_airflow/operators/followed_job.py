"""What every task has whose work outlives its worker, whatever runs it: it is found again, stopped, left to a retry."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from airflow.sdk.bases.resumablejobmixin import ResumableJobMixin
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout

from tradewind_airflow.containers.retry import has_retry, retry_follows
from tradewind_airflow.stop_request import StopRequest

if TYPE_CHECKING:
    from airflow.sdk import Context


class Job(Protocol):
    """What runs for a task: `ContainerJob`, `RayJob`."""

    def claim(self) -> None:
        """Become the try that may stop it."""

    def clear_others(self) -> None:
        """End what is left of before the task was cleared."""

    def submit(self) -> str:
        """Start it, or take over an earlier try's; returns its id."""

    def status(self, external_id: str, /) -> str:
        """`running`, `succeeded`, `failed` or `gone`."""

    def stop(self, leave: Callable[[], bool]) -> bool:
        """See `Stopper`."""

    def finish(self) -> None:
        """See `Stopper`."""


AnyJob = TypeVar("AnyJob", bound=Job)


class FollowedJob(ResumableJobMixin, Generic[AnyJob]):
    """A task of one job; a subclass makes it, has it `_looked_after`, and says in `poll_until_complete` how it ends."""

    what: ClassVar[str]
    """The job's kind, in messages."""
    task_id: str
    _stop: StopRequest
    _job: AnyJob | None
    _ti: Any

    def on_kill(self) -> None:
        """Stop the job with its task: marked failed or skipped, cleared, or timed out.

        Airflow calls this as well when only the worker is told to end. The job is then left to the retry.

        Raises:
            AirflowException: the job was left; ends `execute` where this runs in a signal's handler.
        """
        self._stop.requested = True
        timed_out = isinstance(sys.exc_info()[1], AirflowTaskTimeout)
        if self._job is not None and self._job.stop(lambda: not timed_out and retry_follows(self._ti)):
            raise AirflowException(
                f"{self.task_id}: the worker is ending; the {self.what} goes on and a retry follows it"
            )

    def submit_job(self, context: Context) -> str:
        """Start the job, or take over an earlier try's; ResumableJobMixin keeps the id that this returns."""
        del context
        return self._running_job.submit()

    def get_job_status(self, external_id: Any, context: Context) -> str:
        """`running`, `succeeded`, `failed` or `gone`."""
        del context
        return self._running_job.status(str(external_id))

    def is_job_active(self, status: str) -> bool:
        """Whether a retry follows this job: also one that ended well, for the rest of its log."""
        return status in ("running", "succeeded")

    def is_job_succeeded(self, status: str) -> bool:
        """No job is left at once: see `is_job_active`."""
        del status
        return False

    def get_job_result(self, external_id: Any, context: Context) -> None:
        """Nothing: the result is read from the run's folder, whichever way the job came to its end."""
        del external_id, context

    @property
    def _running_job(self) -> AnyJob:
        if self._job is None:
            raise RuntimeError(f"a {self.what} is asked for outside of execute")
        return self._job

    @contextmanager
    def _looked_after(self, job: AnyJob) -> Iterator[None]:
        """The block starts the job or finds it again, and follows it; no job is left that nobody would follow."""
        self._job = job
        try:
            job.claim()
            job.clear_others()
            yield
        except AirflowFailException:
            raise
        except Exception:
            if not self._stop.requested and not has_retry(self._ti):
                job.stop(lambda: False)
            raise
        finally:
            job.finish()
