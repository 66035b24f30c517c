"""Which run a message is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradewind.errors import UserError
from tradewind.run_dir import RunDir
from tradewind.run_settings import RunSettings, read_settings


@dataclass(frozen=True)
class About:
    """What every message of a run knows of it."""

    dag_id: str
    run_id: str
    recipe: str
    data: str
    seed: str
    settings: RunSettings | None = None
    """None where the run's first task has not come so far."""

    @property
    def job_id(self) -> str:
        """As the stages of this run are told."""
        return f"{self.dag_id}/{self.run_id}"

    @property
    def folders(self) -> tuple[str, ...]:
        """Places on the disk that the run's errors may name."""
        return (self.data,) if "/" in self.data else ()

    @property
    def data_name(self) -> str:
        """The folder's own name."""
        return self.data.rstrip("/").rpartition("/")[2] or self.data


def about_run(dag_id: str, run_id: str, run_dir: Path, params: Mapping[str, Any] | None = None) -> About:
    """What `run.json` says; before it is there, what the form said."""
    try:
        settings = read_settings(RunDir(run_dir))
    except UserError:
        settings = None
    if settings is not None and settings.job_id == f"{dag_id}/{run_id}":
        config = settings.config
        return About(dag_id, run_id, config.recipe, config.data_dir, str(config.seed), settings)
    stated = dict(params or {})
    recipe, data, seed = (str(stated.get(name) or "") for name in ("recipe", "data", "seed"))
    return About(dag_id, run_id, recipe or dag_id, data, seed)
