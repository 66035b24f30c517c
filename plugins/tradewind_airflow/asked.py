"""What a task's run was asked to do: as its first task resolved it, or as the task itself is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.recipes import overridden, resolve
from tradewind.run_dir import RunDir
from tradewind.run_settings import RunSettings, read_settings


@dataclass(frozen=True)
class Asked:
    """The configuration that a task goes by, and what its run is to leave out or make anew."""

    config: RunConfig
    resolved: bool
    """Whether the run's first task has written it down; only then are earlier results looked for."""
    skip: tuple[str, ...] = ()
    force: bool = False

    @classmethod
    def of(
        cls, run_dir: RunDir, job_id: str, *, recipe: str, data: str, seed: str | int, overrides: Mapping[str, Any]
    ) -> Asked:
        """Read `run.json`; what it resolved counts for a task that is given the very recipe, data and seed.

        Args:
            overrides: the task's own, on top.

        Raises:
            UserError: one line that names the setting.
        """
        settings = settings_of(run_dir, job_id)
        given = {"recipe": recipe, "data": data, "seed": str(seed)}
        if settings is not None and given == {name: str(settings.params.get(name)) for name in given}:
            config = overridden(settings.config, overrides)
        else:
            config = resolve(recipe, data, as_seed(seed), overrides)
        if settings is None:
            return cls(config, resolved=False)
        return cls(config, resolved=True, skip=settings.skip, force=settings.force)


def settings_of(run_dir: RunDir, job_id: str) -> RunSettings | None:
    """`run.json` where it is this run's; None where no task wrote any, or the folder is another run's."""
    settings = read_settings(run_dir)
    return settings if settings is not None and settings.job_id == job_id else None


def as_seed(seed: str | int) -> int:
    """A seed as a template renders it; UserError where it is no number."""
    try:
        return int(seed)
    except (TypeError, ValueError):
        raise UserError(f"seed: '{seed}' is not a whole number; give one from 0 to {2**32 - 1}") from None
