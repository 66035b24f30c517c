"""Which run has a result, by the key of what decides it: `<home>/runs/<dag_id>/.results/<stage>/<key>.json`."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import ValidationError

from tradewind.files import write_atomically
from tradewind.results import Contract, StageResult
from tradewind.run_dir import RunDir
from tradewind.stages import Stage

log = logging.getLogger("tradewind")


class Entry(Contract):
    """Where a result stands."""

    run: str
    """The run's folder name."""
    folder: str
    """The stage's folder in it."""
    outputs: dict[str, str]
    """The outputs' hashes: the folder may hold another result by now."""


def results_folder(run_dir: RunDir) -> Path:
    """Beside the runs of one DAG; hidden, as no run is."""
    return run_dir.path.parent / ".results"


def enter(run_dir: RunDir, stage: Stage, folder: str, key: str, result: StageResult) -> None:
    """Have the run's result found under `key`; it takes the place of an earlier one."""
    path = _path(run_dir, stage, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = Entry(run=run_dir.path.name, folder=folder, outputs=result.hashes)
    write_atomically(path, entry.model_dump_json(indent=1))


def find(run_dir: RunDir, stage: Stage, key: str) -> tuple[RunDir, StageResult] | None:
    """The run that has the result, and that; None where none has, or the one that had it is gone or was changed."""
    path = _path(run_dir, stage, key)
    try:
        entry = Entry.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        log.warning("%s: is damaged (%s); the stage is run", path, error.errors()[0]["msg"])
        return None
    source = RunDir(run_dir.path.parent / entry.run)
    if not source.result_file(entry.folder).is_file():
        log.info("%s: run %s is gone; the stage is run", stage, entry.run)
        return None
    result = source.result(entry.folder)
    return (source, result) if result.stage == stage and result.hashes == entry.outputs else None


def _path(run_dir: RunDir, stage: Stage, key: str) -> Path:
    return results_folder(run_dir) / stage / f"{key}.json"
