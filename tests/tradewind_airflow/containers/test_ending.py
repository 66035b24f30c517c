"""How a container ended: what the user is told, and whether Airflow tries again."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from tradewind_airflow.containers.ending import failure, not_started

IMAGE = "trainer:7"
OWN = ("INFO finetune: start", "tradewind: split.read: too few; lower it")
TRACEBACK = ("Traceback (most recent call last):", "ValueError: wrong")
MEMORY = (
    "finetune: the kernel killed it at its memory limit; "
    "raise `memory`, or lower per_device_train_batch_size in the recipe"
)
KILLED = (
    "finetune: killed from outside (SIGKILL): by a person, by a restart of the engine, or because the host's memory "
    "was full; a retry goes on from the newest checkpoint"
)
NO_GPU = "finetune: the engine cannot give it a GPU"
TOOLKIT = "install nvidia-container-toolkit, and check TRADEWIND_GPUS against `nvidia-smi`"
BUILD = "build the image with `make images`, or name another"


def _state(code: int, **more: Any) -> dict[str, Any]:
    return {"Status": "exited", "ExitCode": code, "OOMKilled": False, "Error": "", **more}


def _told(error: AirflowException) -> tuple[bool, str]:
    assert type(error) in (AirflowException, AirflowFailException)
    assert "\n" not in str(error)
    return type(error) is AirflowException, str(error)


@pytest.mark.parametrize(
    ("state", "last", "words"),
    [
        (_state(2), OWN, "split.read: too few; lower it"),
        (_state(2), (), "no output"),
        (_state(137, OOMKilled=True), OWN, MEMORY),
        (_state(1, OOMKilled=True), TRACEBACK, MEMORY),  # the kernel chose a child of the stage
        (_state(127), ("sh: python: not found",),
         f"finetune: 'trainer:7' cannot run the stage: sh: python: not found; {BUILD}"),
        (_state(126, Error="permission denied"), TRACEBACK,
         f"finetune: 'trainer:7' cannot run the stage: permission denied; {BUILD}"),
        (_state(125), (), f"finetune: 'trainer:7' cannot run the stage: no output; {BUILD}"),
        (_state(1), ("/usr/bin/python: No module named tradewind",),
         f"finetune: 'trainer:7' holds no `tradewind`; {BUILD}"),
    ],
)  # fmt: skip
def test_an_end_that_no_retry_can_mend(state: dict[str, Any], last: tuple[str, ...], words: str) -> None:
    assert _told(failure("finetune", IMAGE, state, last)) == (False, words)


@pytest.mark.parametrize(
    ("state", "last", "words"),
    [
        (_state(75), ("tradewind: /run: held by process 7; wait for it or stop it",),
         "/run: held by process 7; wait for it or stop it"),
        (_state(137), TRACEBACK, KILLED),
        ({"ExitCode": 137}, (), KILLED),  # an engine that tells no more
        (_state(143), OWN, "finetune: ended by SIGTERM: split.read: too few; lower it"),
        (_state(139), TRACEBACK, "finetune: ended by SIGSEGV: ValueError: wrong"),
        (_state(1), TRACEBACK, "finetune: ended with exit code 1: ValueError: wrong"),
        (_state(69), ("tradewind: GPU 0: held by another process; another GPU may be free",),
         "finetune: ended with exit code 69: GPU 0: held by another process; another GPU may be free"),
        (_state(128), (), "finetune: ended with exit code 128: no output"),
        (_state(255), (), "finetune: ended with exit code 255: no output"),
        (_state(1), ("No module named tradewind_airflow",),
         "finetune: ended with exit code 1: No module named tradewind_airflow"),
    ],
)  # fmt: skip
def test_an_end_after_which_a_retry_may_help(state: dict[str, Any], last: tuple[str, ...], words: str) -> None:
    assert _told(failure("finetune", IMAGE, state, last)) == (True, words)


@pytest.mark.parametrize(
    ("explanation", "words"),
    [
        ("write /var/lib/docker/tmp: no space left on device",
         "finetune: the engine's disk is full; free space (docker system df), then clear"),
        ("exec python: executable file not found in $PATH",
         f"finetune: 'trainer:7' cannot run the stage: exec python: executable file not found in $PATH; {BUILD}"),
        ("exec /usr/bin/python: no such file or directory",
         f"finetune: 'trainer:7' cannot run the stage: exec /usr/bin/python: no such file or directory; {BUILD}"),
        ('could not select device driver "" with capabilities: [[gpu]]',
         f'{NO_GPU} (could not select device driver "" with capabilities: [[gpu]]); {TOOLKIT}'),
        ("nvidia-container-cli: device error: 7: unknown device",
         f"{NO_GPU} (nvidia-container-cli: device error: 7: unknown device); {TOOLKIT}"),
        ("stderr: Auto-detected mode as 'legacy'\nnvidia-container-cli: device error: 7",  # as it really comes
         f"{NO_GPU} (stderr: Auto-detected mode as 'legacy' nvidia-container-cli: device error: 7); {TOOLKIT}"),
    ],
)  # fmt: skip
def test_a_refusal_of_the_engine_that_no_retry_can_mend(explanation: str, words: str) -> None:
    assert _told(not_started("finetune", IMAGE, explanation)) == (False, words)


def test_any_other_refusal_is_tried_again() -> None:
    assert _told(not_started("finetune", IMAGE, "server is shutting down")) == (
        True,
        "finetune: the engine refused the container: server is shutting down",
    )
