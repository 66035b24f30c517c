"""What every operator that runs a stage does alike, wherever the stage runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tradewind.config import RunConfig
from tradewind.files import write_atomically
from tradewind.run_dir import RunDir


def write_config(run_dir: RunDir, folder: str, config: RunConfig) -> Path:
    """The file that the stage reads its configuration from; it makes it the run's once it holds the run's lock."""
    run_dir.path.mkdir(parents=True, exist_ok=True)
    path = run_dir.path / f".{folder}.config.json"
    write_atomically(path, config.model_dump_json(indent=1))
    return path


def forget_id(log: Any, store: Any, key: str) -> None:
    """What ran is over; kept, its id would outlast a clear. A fault here must not hide how the stage ended."""
    try:
        if store is not None:
            store.delete(key)
    except Exception as error:  # noqa: BLE001 - whatever it is, the name of what ran is enough to find it
        log.warning("Airflow keeps the id under %s: %s", key, error)
