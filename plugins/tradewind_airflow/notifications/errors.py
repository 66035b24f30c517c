"""`errors/<task>.json` in a run's folder: why a task failed, in one line, for whoever tells of it later."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException, AirflowTaskTimeout
from pydantic import ValidationError

from tradewind.errors import UserError
from tradewind.files import write_atomically
from tradewind.results import Contract
from tradewind_airflow.macros import run_dir
from tradewind_airflow.notifications.scrub import mask
from tradewind_airflow.shared import publish_run, withdraw

if TYPE_CHECKING:
    from airflow.sdk import Context

_FOLDER = "errors"
_LONGEST = 2000
log = logging.getLogger(__name__)


class KeptError(Contract):
    """The last error of a task that has no retry left."""

    task_id: str
    map_index: int | None
    try_number: int
    line: str
    at: str


def keep_error(context: Context) -> None:
    """A task's `on_failure_callback`: keep its error's one line. Never raises: the task has failed already.

    A task that was killed without a word leaves nothing, and so does one whose end only Airflow's scheduler saw.
    """
    try:
        line = error_line(context.get("exception"), getattr(context.get("task"), "execution_timeout", None))
        if line:
            ti = context["ti"]
            kept = KeptError(
                task_id=ti.task_id,
                map_index=_map_index(ti),
                try_number=ti.try_number,
                line=line,
                at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            file = _file(_folder_of(ti), ti.task_id, kept.map_index)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, kept.model_dump_json(indent=1))
            publish_run(ti.dag_id, ti.run_id)
    except Exception as error:  # noqa: BLE001 - whatever it is, the task's own error stands in its log
        log.warning("the error is not kept for the message about it: %s: %s", type(error).__name__, error)


def forget_error(context: Context) -> None:
    """A task's `on_execute_callback`: what an earlier try left is not this one's. Never raises."""
    try:
        ti = context["ti"]
        withdraw(_file(_folder_of(ti), ti.task_id, _map_index(ti)))
    except Exception as error:  # noqa: BLE001 - the task must go on
        log.warning("an earlier try's error stays: %s: %s", type(error).__name__, error)


def read_error(run_dir: Path, task_id: str, map_index: int | None = None) -> KeptError | None:
    """What `keep_error` kept; None where the task ended without a word."""
    try:
        return KeptError.model_validate_json(_file(run_dir, task_id, map_index).read_bytes())
    except (OSError, ValidationError):
        return None


def error_line(error: Any, time_limit: Any = None) -> str:
    """One line of what was raised, without secrets; empty where nothing was."""
    if error is None:
        return ""
    text = " ".join(str(error).split())
    if isinstance(error, AirflowTaskTimeout):
        text = f"ended at its time limit{f' of {time_limit}' if time_limit else ''} (execution_timeout)"
    elif not isinstance(error, (str, AirflowException, UserError)):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    line = mask(text or type(error).__name__)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _folder_of(ti: Any) -> Path:
    return Path(run_dir(ti.dag_id, ti.run_id))


def _map_index(ti: Any) -> int | None:
    index = getattr(ti, "map_index", None)
    return None if index is None or index < 0 else int(index)


def _file(folder: Path, task_id: str, map_index: int | None) -> Path:
    return folder / _FOLDER / f"{task_id}{'' if map_index is None else f'-{map_index}'}.json"


CALLBACKS: Mapping[str, Any] = {"on_execute_callback": forget_error, "on_failure_callback": keep_error}
"""For a DAG's `default_args`."""
