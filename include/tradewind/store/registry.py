"""A registry's local folder as the bucket has it: its versions, the pointer and the history."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.files import write_atomically
from tradewind.store.mirror import Mirror
from tradewind.store.moves import read_moves
from tradewind.store.record import identity_here

if TYPE_CHECKING:
    from tradewind.registry.store import Registry


def bring_up_to_date(mirror: Mirror, registry: Registry) -> None:
    """Have versions, pointer and history here as they are in the bucket; by the holder of the registry's lock.

    Raises:
        UserError, TemporaryError: as `Mirror.refresh`.
    """
    below = f"{registry.path.relative_to(mirror.root).as_posix()}/versions"
    mirror.refresh(below)
    _drop_retired(mirror, below)
    moves = read_moves(mirror, registry.path)
    text = "".join(f"{move.model_dump_json()}\n" for move in moves)
    if not registry.history_file.is_file() or registry.history_file.read_text(encoding="utf-8") != text:
        registry.path.mkdir(parents=True, exist_ok=True)
        write_atomically(registry.history_file, text)
    if moves and registry.champion_name() != moves[-1].after:
        point(registry.path, moves[-1].after)


def point(models: Path, name: str) -> None:
    """Have the local pointer lead to a version."""
    link = models / f".champion.{uuid.uuid4().hex}"
    link.symlink_to(Path("versions") / name)
    link.replace(models / "champion")


def _drop_retired(mirror: Mirror, below: str) -> None:
    """Versions that another worker has removed."""
    listed = mirror.bucket.find(f"manifests/{below}")
    there = {entry.key.removeprefix("manifests/").rpartition("/")[0] for entry in listed}
    for unit, _ in list(mirror.records.units(below)):
        known = mirror.records.get(unit)
        path = mirror.root / unit
        if unit in there or known is None or identity_here(path) not in (known.manifest.identity, None):
            continue
        if path.is_dir():
            leaving = path.with_name(f".old-{uuid.uuid4().hex}")
            path.rename(leaving)
            shutil.rmtree(leaving)
        mirror.records.drop(unit)
