"""`run.json`: what a run was asked to do, resolved once, so that it is known after the code moved on."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationError

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.files import write_atomically
from tradewind.results import Contract
from tradewind.run_dir import RunDir

_NAME = "run.json"


class RunSettings(Contract):
    """What the run's first task resolved, and every later one goes by."""

    schema_version: Literal[1] = 1
    job_id: str
    """`<dag_id>/<run_id>`."""
    config: RunConfig
    skip: tuple[str, ...] = ()
    """Stages that are left out; what comes after them uses their newest result that fits."""
    force: bool = False
    """Make every stage anew, also where a result of an earlier run would do."""
    params: dict[str, Any] = Field(default_factory=dict)
    """The trigger form's values as they were."""
    version: str
    """Of tradewind."""
    resolved_at: str


def write_settings(run_dir: RunDir, settings: RunSettings) -> None:
    """Write `run.json`; a reader sees the old one or the whole new one."""
    run_dir.path.mkdir(parents=True, exist_ok=True)
    write_atomically(run_dir.path / _NAME, settings.model_dump_json(indent=1))


def read_settings(run_dir: RunDir) -> RunSettings | None:
    """What `write_settings` left; None where nothing was.

    Raises:
        UserError: the file is damaged.
    """
    path = run_dir.path / _NAME
    try:
        return RunSettings.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise UserError(f"{path}: {error.errors()[0]['msg']}; clear the run's first task") from error
