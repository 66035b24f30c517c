"""What a unit holds on this machine, as far as a manifest is to know it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tradewind.errors import UserError
from tradewind.results import read_result
from tradewind.store.manifest import Manifest, StoredFile, inside, is_task
from tradewind.store.units import is_whole_folder


def place_in(folder: Path, manifest: Manifest, file: StoredFile) -> Path:
    """Where a file of a unit stands, whose place is `folder`."""
    return folder / file.path if manifest.is_folder else folder


def is_here(path: Path, file: StoredFile) -> bool:
    """Whether the file stands at `path`, by its size."""
    try:
        return path.stat().st_size == file.bytes
    except (FileNotFoundError, NotADirectoryError):
        return False


def files_of(folder: Path, *, all_of_it: bool = False) -> dict[str, Path]:
    """The files of a published folder; UserError for something else in it.

    Args:
        all_of_it: those that are named like our locks, too.
    """
    found = {}
    for path in sorted(_below(folder)):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise UserError(f"{path}: not a plain file; nothing of it is sent")
        if path.is_file() and (all_of_it or not path.name.startswith(".lock")):
            found[_name_of(path, folder)] = path
    return found


def _below(folder: Path) -> Iterator[Path]:
    """All that is below it; OSError where a folder may not be read, rather than nothing of it."""
    for parent, folders, files in os.walk(folder, onerror=_raised):
        yield from (Path(parent, name) for name in (*folders, *files))


def _raised(error: OSError) -> None:
    raise error


def _name_of(path: Path, folder: Path) -> str:
    name = path.relative_to(folder).as_posix()
    try:
        return inside(name)
    except ValueError as error:
        raise UserError(f"{str(path)!r}: holds a character that no name in a bucket may; rename the file") from error


def sources_of(path: Path, unit: str) -> list[str]:
    """The unit that a cached result was placed from."""
    if not is_whole_folder(path) or not unit.startswith("runs/") or is_task(unit):
        return []
    with suppress(UserError):
        source = read_result(path / "result.json").source_run
        if source:
            _, dag_id, _, folder = unit.split("/")
            return [f"runs/{dag_id}/{source}/{folder}"]
    return []
