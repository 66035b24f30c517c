"""One task's Ray job: submitted at most once at a time, found again, followed to its end, stopped."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from tradewind_airflow.containers.claim import Claim
from tradewind_airflow.containers.identity import TASK, Identity
from tradewind_airflow.last_words import KEPT_LINES
from tradewind_airflow.ray_jobs.cluster import ClusterAwayError, JobInfo, NotSubmittedError, RayCluster
from tradewind_airflow.ray_jobs.job_ending import job_failure
from tradewind_airflow.ray_jobs.submission import parsed, submission_id
from tradewind_airflow.stop_request import StopRequest
from tradewind_airflow.stopper import Stopper

log = logging.getLogger("tradewind_airflow")
Request = Callable[[str], Mapping[str, Any]]
_PAUSE = 1.0
_LOG_SHARE = 20
"""A log is read again after so many times the time that reading it took: the API gives all of it each time."""
_LOG_PAUSE = 30.0
"""Seconds from one reading to the next at most."""
_END_LIMIT = 60.0
"""Seconds in which a job that is told to stop has ended."""
_SUBMITTED_LIMIT = 3.0
"""Seconds in which a submission under way is known to the cluster."""
_CLUSTER_LIMIT = 600.0
"""Seconds that a cluster's head may be away: a restart of one that keeps its state leaves the job."""


class RayJob:
    """The job of one task instance of one run."""

    def __init__(
        self,
        cluster: RayCluster,
        identity: Identity,
        name: str,
        claim: Claim,
        *,
        request: Request,
        on_line: Callable[[str], None],
        stop: StopRequest,
    ) -> None:
        """Take what a job is made of.

        Args:
            name: what the ids of all the task's submissions begin with.
            request: the body of a submission of this id.
            on_line: gets each line that the job says.
            stop: requested when the task is to end.
        """
        self.cluster = cluster
        self.identity = identity
        self.name = name
        self._claim = claim
        self._request = request
        self._on_line = on_line
        self._stop_request = stop
        self._current = ""
        self._stopper = Stopper(self._end_ours)
        self._told_of_log = False

    def claim(self) -> None:
        """Become the try that may stop the task's job, one of before included."""
        self._claim.take()

    def clear_others(self) -> None:
        """End the task's jobs of before it was cleared: only then may a new one start.

        Raises:
            AirflowException: one does not end.
        """
        for job in self.cluster.jobs():
            found = parsed(self.name, job.submission_id)
            if found is not None and found[0] != self.identity.generation and not job.has_ended:
                log.info("Ray job %s: of before the task was cleared; stopping it", job.submission_id)
                self._end(job.submission_id)

    def newest(self) -> JobInfo | None:
        """The task's last submission since it was cleared, live or ended."""
        numbered = [(parsed(self.name, job.submission_id), job) for job in self.cluster.jobs()]
        ours = {found[1]: job for found, job in numbered if found and found[0] == self.identity.generation}
        return ours[max(ours)] if ours else None

    def status(self, submitted: str) -> str:
        """`running`, `succeeded`, `failed`, or `gone`; a job of before the task was cleared counts as gone."""
        found = parsed(self.name, submitted)
        job = self.cluster.info(submitted) if found and found[0] == self.identity.generation else None
        if job is None:
            return "gone"
        if not job.has_ended:
            return "running"
        return "succeeded" if job.status == "SUCCEEDED" else "failed"

    def submit(self) -> str:
        """Submit the job, or take over the one that an earlier try submitted; returns its id.

        Raises:
            AirflowException: the cluster refuses it, or the task was stopped meanwhile.
        """
        while not self._stop_request.requested:
            earlier, number = self.newest(), 1
            if earlier is not None:
                if not earlier.has_ended or earlier.status == "SUCCEEDED":
                    log.info("taking over Ray job %s of try %s", earlier.submission_id, earlier.metadata.get(TASK))
                    return earlier.submission_id
                self._forget(earlier)
                number += (parsed(self.name, earlier.submission_id) or (0, 0))[1]
            self._current = submission_id(self.name, self.identity.generation, number)
            try:
                self.cluster.submit(self._request(self._current))
            except NotSubmittedError:
                if self.cluster.info(self._current) is None:
                    raise
                continue  # another try was faster: look again
            if self._stop_request.requested:  # it came while nobody could find this job yet
                self._end(self._current)
                break
            log.info("Ray job %s submitted to %s", self._current, self.cluster.address)
            return self._current
        raise AirflowException(f"{self.name}: stopped before its Ray job started")

    def follow(self, submitted: str) -> str:
        """Pass on its lines until it has ended well; returns the try whose result it left.

        Raises:
            AirflowException: how it ended, and whether a retry can help.
        """
        self._current = submitted
        last: deque[str] = deque(maxlen=KEPT_LINES)
        ended = self._to_its_end(submitted, last)
        if ended.status != "SUCCEEDED":
            if self._stop_request.requested:
                raise AirflowException(f"{self.identity.task}: its Ray job {submitted} was stopped with its task")
            raise self._told(ended, last)
        return str(ended.metadata.get(TASK))

    def stop(self, leave: Callable[[], bool]) -> bool:
        """End the task's job, unless another try has taken it over; whether it was left: see `Stopper`."""
        return self._stopper.stop(leave)

    def finish(self) -> None:
        """Wait until what `stop` began is done."""
        self._stopper.finish()

    def _end_ours(self) -> None:
        if not self._current:
            return
        with self._claim.held() as ours:
            if ours:
                try:
                    self._await_submission()
                    self._end(self._current)
                except AirflowException as error:
                    log.warning("Ray job %s: %s; it may go on: see `ray job stop`", self._current, error)

    def _await_submission(self) -> None:
        """A handler may come while the request is on its way."""
        deadline = time.monotonic() + _SUBMITTED_LIMIT
        while self.cluster.info(self._current) is None and time.monotonic() < deadline:
            time.sleep(0.2)

    def _end(self, submitted: str) -> None:
        """Stop a job and return when it has ended."""
        self.cluster.stop(submitted)
        deadline = time.monotonic() + _END_LIMIT
        while (job := self.cluster.info(submitted)) is not None and not job.has_ended:
            if time.monotonic() > deadline:
                raise AirflowException(f"Ray job {submitted}: does not end; stop it by hand (`ray job stop`)")
            time.sleep(0.2)

    def _forget(self, earlier: JobInfo) -> None:
        """Pass on the rest of an earlier try's ended job; raise where no retry can help."""
        last: deque[str] = deque(maxlen=KEPT_LINES)
        self._pass_on(earlier.submission_id, last, has_ended=True)
        why = self._told(earlier, last)
        if earlier.status == "STOPPED":  # also with a try of this task that timed out
            log.warning("Ray job %s of try %s was stopped", earlier.submission_id, earlier.metadata.get(TASK))
            return
        log.warning("the Ray job of try %s has failed: %s", earlier.metadata.get(TASK), why)
        if isinstance(why, AirflowFailException):
            raise why

    def _told(self, job: JobInfo, last: deque[str]) -> AirflowException:
        error = job_failure(self.identity.task, job, tuple(last))
        return type(error)(self.cluster.without_token(str(error)))

    def _to_its_end(self, submitted: str, last: deque[str]) -> JobInfo:
        """Pass on its lines, over restarts of the cluster's head; returns the ended job."""
        read_again = away_since = 0.0
        while True:
            try:
                job = self.cluster.info(submitted)
                if job is None:
                    raise AirflowException(
                        f"Ray job {submitted}: the cluster knows it no more, as after a restart; a retry goes on, "
                        "a training from its newest checkpoint"
                    )
                # What the log holds after the job's end is all of it.
                if job.has_ended or time.monotonic() >= read_again:
                    began = time.monotonic()
                    self._pass_on(submitted, last, has_ended=job.has_ended)
                    now = time.monotonic()
                    read_again = now + min(_LOG_SHARE * (now - began), _LOG_PAUSE)
                if job.has_ended:
                    return job
                away_since = 0.0
            except ClusterAwayError as error:
                if not away_since:
                    away_since = time.monotonic()
                    log.warning("%s; waiting up to %.0f s for it", error, _CLUSTER_LIMIT)
                elif time.monotonic() - away_since > _CLUSTER_LIMIT:
                    raise
            if self._stop_request.wait(_PAUSE):
                self.finish()
                if self.status(submitted) == "running":
                    raise AirflowException(f"Ray job {submitted}: did not end with its task; see `ray job stop`")

    def _pass_on(self, submitted: str, last: deque[str], *, has_ended: bool) -> None:
        """Pass on what the log holds beyond what was passed on before; of a job that goes on, in whole lines."""
        text = self.cluster.log(submitted)
        if text is None:
            if not self._told_of_log:
                log.warning("Ray job %s: its log cannot be read now", submitted)
                self._told_of_log = True
            return
        position = int(self._claim.position(submitted) or 0)
        lines = text[position:].split("\n")
        for line in lines if has_ended else lines[:-1]:
            position += len(line) + 1
            if said := self.cluster.without_token(line.rstrip()):
                self._on_line(said)
                last.append(said)
            self._claim.advance(submitted, f"{position:020d}")
