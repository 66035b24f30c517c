"""Why a Ray job ended, as the error that tells Airflow whether to try again and the user what to do."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from tradewind.errors import TemporaryError, UserError
from tradewind_airflow.last_words import own_words
from tradewind_airflow.ray_jobs.cluster import JobInfo

_NOT_STARTED = (126, 127)  # the shell's: not executable, not found
_INSTALL = "install it on the cluster's nodes, or name the Python that has it (`python`)"
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
_TOLD = 500
"""Characters of Ray's own message that are told."""


def job_failure(task: str, job: JobInfo, last_lines: Sequence[str]) -> AirflowException:
    """The exception for a job that ended, but not well.

    Args:
        last_lines: what it said last; where nothing came, Ray's message has some.
    """
    lines = last_lines or job.message.splitlines()[1:]
    why = own_words(lines)
    if job.status == "STOPPED":
        return AirflowFailException(
            f"{task}: its Ray job {job.submission_id} was stopped from outside (`ray job stop`, or the dashboard); "
            "clear the task to go on, a training from its newest checkpoint"
        )
    if job.exit_code == UserError.exit_code:
        return AirflowFailException(why)
    if job.exit_code in _NOT_STARTED:
        return AirflowFailException(f"{task}: the cluster cannot run the stage: {why}; {_INSTALL}")
    if any(line.endswith("No module named tradewind") for line in lines):
        return AirflowFailException(f"{task}: the cluster's Python holds no `tradewind`; {_INSTALL}")
    return AirflowException(_a_retry_may_help(task, job, why))


def _a_retry_may_help(task: str, job: JobInfo, why: str) -> str:
    if job.exit_code is None:
        told = " ".join(job.message.split())[:_TOLD] or "no word of why"
        return f"{task}: its Ray job {job.submission_id} failed: {told}"
    if job.exit_code == TemporaryError.exit_code:
        return why
    if job.exit_code in _KILLED:
        return (
            f"{task}: its Ray job's own process was killed (SIGKILL): by a person, with its node, or because the "
            "node's memory was full; a retry goes on, a training from its newest checkpoint"
        )
    return f"{task}: its Ray job {job.submission_id} ended with exit code {job.exit_code}: {why}"
