"""Why a container ended, as the error that tells Airflow whether to try again and the user what to do."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from tradewind.errors import TemporaryError, UserError
from tradewind_airflow.last_words import own_words

_BUILD = "build the image with `make images`, or name another"
_KILLED = 128 + signal.SIGKILL
_NOT_STARTED = (125, 126, 127)  # docker run's own codes: engine error, not executable, not found


def failure(stage: str, image: str, state: Mapping[str, Any], last_lines: Sequence[str]) -> AirflowException:
    """The exception for an ended container.

    Args:
        state: `State` of the inspected container, with an exit code other than 0.
        last_lines: what it printed last.
    """
    why = own_words(last_lines)
    final = _no_retry_helps(stage, image, state, last_lines, why)
    return (
        AirflowFailException(final)
        if final
        else AirflowException(_a_retry_may_help(stage, int(state["ExitCode"]), why))
    )


def image_failure(task: str, state: Mapping[str, Any], last_lines: Sequence[str]) -> AirflowException:
    """As `failure`, of anyone's image, whose exit codes are its own: only memory is told to be past a retry."""
    code, last = int(state["ExitCode"]), (list(last_lines) or ["no output"])[-1]
    if state.get("OOMKilled"):
        return AirflowFailException(f"{task}: the kernel killed it at its memory limit; raise `memory`")
    if code == _KILLED:
        return AirflowException(
            f"{task}: killed from outside (SIGKILL): by a person, by a restart of the engine, or because the "
            "host's memory was full"
        )
    if code > 128 and code - 128 in set(signal.Signals):
        return AirflowException(f"{task}: ended by {signal.Signals(code - 128).name}: {last}")
    return AirflowException(f"{task}: its command ended with exit code {code}: {last}")


def _no_retry_helps(
    stage: str, image: str, state: Mapping[str, Any], last_lines: Sequence[str], why: str
) -> str | None:
    code = state["ExitCode"]
    if code == UserError.exit_code:
        return why
    if state.get("OOMKilled"):
        return (
            f"{stage}: the kernel killed it at its memory limit; raise `memory`, "
            "or lower per_device_train_batch_size in the recipe"
        )
    if code in _NOT_STARTED:
        return f"{stage}: '{image}' cannot run the stage: {state.get('Error') or why}; {_BUILD}"
    if any(line.endswith("No module named tradewind") for line in last_lines):
        return f"{stage}: '{image}' holds no `tradewind`; {_BUILD}"
    return None


def _a_retry_may_help(stage: str, code: int, why: str) -> str:
    if code == TemporaryError.exit_code:
        return why
    if code == _KILLED:
        return (
            f"{stage}: killed from outside (SIGKILL): by a person, by a restart of the engine, or because the "
            "host's memory was full; a retry goes on from the newest checkpoint"
        )
    if code > 128 and code - 128 in set(signal.Signals):
        return f"{stage}: ended by {signal.Signals(code - 128).name}: {why}"
    return f"{stage}: ended with exit code {code}: {why}"


def not_started(stage: str, image: str, explanation: str) -> AirflowException:
    """The exception where the engine refused to create or start a container."""
    explanation = " ".join(explanation.split())
    if "no space left on device" in explanation:
        return AirflowFailException(f"{stage}: the engine's disk is full; free space (docker system df), then clear")
    if "executable file not found" in explanation or "no such file or directory" in explanation:
        return AirflowFailException(f"{stage}: '{image}' cannot run the stage: {explanation}; {_BUILD}")
    if "could not select device driver" in explanation or "nvidia-container-cli" in explanation:
        return AirflowFailException(
            f"{stage}: the engine cannot give it a GPU ({explanation}); install nvidia-container-toolkit, "
            "and check TRADEWIND_GPUS against `nvidia-smi`"
        )
    return AirflowException(f"{stage}: the engine refused the container: {explanation}")
