"""How a job ended says whether a retry can help, in one line."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException

from tradewind_airflow.ray_jobs.cluster import JobInfo
from tradewind_airflow.ray_jobs.job_ending import job_failure

_LOST = "Job supervisor actor died: The actor is dead because its node has died.\nNode: 1\nmore"
_TAIL = "Job entrypoint command failed with exit code 2, last available logs:\nINFO x\ntradewind: c.json: no number"


@pytest.mark.parametrize(
    ("status", "code", "message", "last", "final", "words"),
    [
        ("STOPPED", None, "Job was intentionally stopped.", [], True, "stopped from outside"),
        ("FAILED", 2, "", ["tradewind: a.json: no number", "bye"], True, "a.json: no number"),
        ("FAILED", 2, _TAIL, [], True, "c.json: no number"),
        ("FAILED", 127, "", ["sh: 1: exec: python: not found"], True, "python: not found"),
        ("FAILED", 1, "", ["/usr/bin/python: No module named tradewind"], True, "holds no `tradewind`"),
        ("FAILED", 75, "", ["tradewind: held by process 7"], False, "held by process 7"),
        ("FAILED", -9, "", ["step 7"], False, "memory was full"),
        ("FAILED", 137, "", ["step 7"], False, "memory was full"),
        ("FAILED", 1, "", ["ValueError: x"], False, "exit code 1: ValueError: x"),
        ("FAILED", None, _LOST, [], False, "its node has died. Node: 1 more"),
        ("FAILED", None, "", [], False, "no word of why"),
    ],
)
def test_how_a_job_ended(
    status: str, code: int | None, message: str, last: list[str], final: bool, words: str
) -> None:  # fmt: skip
    error = job_failure("finetune", JobInfo("tradewind-1", status, message, code, {}), last)
    assert words in str(error)
    assert "\n" not in str(error)
    assert isinstance(error, AirflowFailException) is final
