"""A registry's local folder as the bucket has it: its versions, the history and who is served."""

from __future__ import annotations

import logging
import shutil
import uuid
from pathlib import Path

from tradewind.errors import TemporaryError, UserError
from tradewind.files import write_atomically
from tradewind.store.alias import read_alias
from tradewind.store.mirror import Mirror
from tradewind.store.moves import read_moves
from tradewind.store.record import identity_here

log = logging.getLogger("tradewind")


def bring_up_to_date(mirror: Mirror, models: Path, history: Path, serving: Path) -> str | None:
    """Have versions, history and serving alias here as they are in the bucket; by the holder of the registry's lock.

    Args:
        history: the file of the champion's moves.
        serving: the file of the alias's moves.

    Returns:
        Who is champion there; None: nobody yet.

    Raises:
        UserError, TemporaryError: as `Mirror.refresh`.
    """
    moves = read_moves(mirror, models)  # first: whoever they name is among the versions listed after them
    below = f"{models.relative_to(mirror.root).as_posix()}/versions"
    mirror.refresh(below)
    _drop_retired(mirror, below)
    _have(history, "".join(f"{move.model_dump_json()}\n" for move in moves))
    try:
        _have(serving, read_alias(mirror, models))
    except TemporaryError:
        raise
    except UserError as error:  # no task needs it; who serves is told when it is to change
        log.warning("%s", error)
    return moves[-1].after if moves else None


def _have(file: Path, text: str) -> None:
    there = file.read_text(encoding="utf-8") if file.is_file() else ""
    if there != text:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text)


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
