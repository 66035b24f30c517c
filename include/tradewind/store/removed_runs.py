"""Runs that retention took out of the bucket, out of a cache."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Collection
from pathlib import Path

from tradewind.store.record import Records, identity_here
from tradewind.store.room import unused
from tradewind.store.units import folders_of_run


def drop_removed_runs(root: Path, records: Records, below: str, there: Collection[str]) -> None:
    """Remove runs of which the bucket has nothing any more, and had everything that is here.

    Args:
        below: where `there` was listed; runs elsewhere are left.
    """
    if not below.startswith("runs") or below.count("/") > 1:
        return  # of one run, or of what is none
    remaining = {_run(unit) for unit in there}
    known: dict[str, list[str]] = {}
    for unit, _ in list(records.units(below)):
        if "/.results/" not in unit:
            known.setdefault(_run(unit), []).append(unit)
    for run, units in known.items():
        if run not in remaining and _is_all_known(root, records, run, units):
            _drop(root, records, run, units)


def _is_all_known(root: Path, records: Records, run: str, units: list[str]) -> bool:
    """Whether nothing is here that the bucket never had."""
    own = [path.relative_to(root).as_posix() for path in folders_of_run(root / run)]
    if not set(own) <= set(units):
        return False
    for unit in units:
        known = records.get(unit)
        if known is None or identity_here(root / unit) not in (known.manifest.identity, None):
            return False
    return True


def _drop(root: Path, records: Records, run: str, units: list[str]) -> None:
    folder = root / run
    if folder.is_dir():
        with unused(folder) as is_free:
            if not is_free:
                return
            leaving = folder.with_name(f".removing-{uuid.uuid4().hex}")
            folder.rename(leaving)
        shutil.rmtree(leaving)
    for unit in units:
        records.drop(unit)


def _run(unit: str) -> str:
    return "/".join(unit.split("/")[:3])
