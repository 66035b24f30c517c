"""The champion's moves in a bucket: each has a number, and is whoever's is first to create it.

There is no pointer that two could replace at once: the champion is what the last move made it. Who finds the next
number taken has not moved anything, and has to look again what the champion is.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from tradewind.errors import TemporaryError, UserError
from tradewind.files import write_atomically
from tradewind.registry.history import Move
from tradewind.store.bucket import Entry, TakenError, each
from tradewind.store.checked import read_sealed
from tradewind.store.manifest import sealed
from tradewind.store.mirror import Mirror
from tradewind.store.upload import number_of

_KNOWN = ".moves.json"


def read_moves(mirror: Mirror, models: Path) -> list[Move]:
    """All moves of a pipeline, the oldest first.

    Raises:
        UserError: one is damaged, or gone.
        TemporaryError: the bucket does not answer.
    """
    found = [entry for entry in mirror.bucket.find(_folder(models)) if number_of(entry.key)]
    for number, entry in enumerate(found, 1):
        if number_of(entry.key) != number:  # the next would get a number that is taken
            gone = f"{mirror.address}/{_folder(models)}/{number:08d}.json"
            raise UserError(f"{gone}: is gone, and with it who was champion then; restore it from a copy")
    known = _known(models)
    new = [entry for entry in found if _name(entry) not in known]
    read = known | dict(zip(map(_name, new), each(lambda entry: _move(mirror, entry.key), new), strict=True))
    moves = {_name(entry): read[_name(entry)] for entry in found}
    if moves != known:
        models.mkdir(parents=True, exist_ok=True)
        kept = {name: move.model_dump(mode="json") for name, move in moves.items()}
        write_atomically(models / _KNOWN, json.dumps(kept))
    return list(moves.values())


def add_move(mirror: Mirror, models: Path, move: Move, number: int) -> None:
    """Make the move number `number`, counted from 1.

    Raises:
        TemporaryError: another process moved the champion first, or the bucket does not answer.
    """
    try:
        mirror.bucket.create(f"{_folder(models)}/{number:08d}.json", sealed(move.model_dump_json()))
    except TakenError as error:
        raise TemporaryError(
            f"{mirror.address}/{_folder(models)}: another process moved the champion at this moment; nothing was "
            "changed: look again, then try again"
        ) from error


def _move(mirror: Mirror, key: str) -> Move:
    try:
        return Move.model_validate_json(read_sealed(mirror.bucket, key))
    except ValidationError as error:
        raise UserError(f"{mirror.address}/{key}: {error.errors()[0]['msg']}; restore it from a copy") from error


def _known(models: Path) -> dict[str, Move]:
    """Those that were read before, by `_name`: each is written once, and there is one more every night."""
    try:
        kept = json.loads((models / _KNOWN).read_bytes())
        return {name: Move.model_validate(move) for name, move in kept.items()}
    except (OSError, ValueError, AttributeError):  # pydantic's is a ValueError
        return {}


def _name(entry: Entry) -> str:
    return f"{entry.key} {entry.tag}"


def _folder(models: Path) -> str:
    return f"moves/{models.name}"
