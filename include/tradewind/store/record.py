"""What is known here of a unit: `.units/<unit>.json`, the manifest that it was fetched or published by."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from tradewind.files import sha256_of, write_atomically
from tradewind.results import Contract
from tradewind.store.manifest import RECORD, RESULT, TASKS, Manifest, mark_of

_FOLDER = ".units"


class Known(Contract):
    """A unit's manifest, and which of several with that number it is."""

    number: int
    tag: str
    manifest: Manifest
    withdrawn: bool = False
    """Taken back here; the bucket has yet to be told."""


class Records:
    """Those of one home."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / _FOLDER

    def get(self, unit: str) -> Known | None:
        """None where nothing is known, or it is damaged."""
        try:
            return Known.model_validate_json(self._path(unit).read_bytes())
        except (OSError, ValidationError):
            return None

    def put(self, unit: str, known: Known) -> None:
        """Keep it."""
        path = self._path(unit)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, known.model_dump_json())

    def drop(self, unit: str) -> None:
        """Know no more of it."""
        self._path(unit).unlink(missing_ok=True)

    def used(self, unit: str) -> None:
        """Its content was asked for just now."""
        with suppress(FileNotFoundError):
            os.utime(self._path(unit))

    def units(self, below: str = "") -> Iterator[tuple[str, float]]:
        """Each unit below a path, and when it was last used, in seconds."""
        for path in (self._folder / below).rglob("*.json"):
            with suppress(FileNotFoundError):
                if not path.name.startswith("."):
                    yield path.relative_to(self._folder).as_posix().removesuffix(".json"), path.stat().st_mtime

    def lock_file(self, unit: str) -> Path:
        """For being the only one on this machine that moves the unit."""
        # A name by its hash: DAG, run and stage together may be longer than a file's name.
        path = self._folder / ".locks" / hashlib.sha256(unit.encode()).hexdigest()
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _path(self, unit: str) -> Path:
        path = self._folder / unit
        return path.with_name(f"{path.name}.json")


def identity_here(path: Path) -> str | None:
    """What tells this state of a unit from another, see `Manifest.identity`; None where it is not here."""
    told_by = told_here(path)
    try:
        return None if told_by is None else sha256_of(told_by)
    except FileNotFoundError:
        return None


def told_here(path: Path) -> Path | None:
    """The file of a unit that `identity_here` is of."""
    if path.parent.name == TASKS:  # what the folder itself holds is anyone's
        return mark_of(path) if path.is_dir() and mark_of(path).is_file() else None
    return next((file for file in (path / RESULT, path / RECORD, path) if file.is_file()), None)
