"""The champion's moves in a bucket: each has a number, and is whoever's is first to create it.

There is no pointer that two could replace at once: the champion is what the last move made it. Who finds the next
number taken has not moved anything, and has to look again what the champion is.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from tradewind.errors import TemporaryError, UserError
from tradewind.registry.history import Move
from tradewind.store.bucket import TakenError, each
from tradewind.store.checked import read_sealed
from tradewind.store.manifest import sealed
from tradewind.store.mirror import Mirror
from tradewind.store.upload import number_of


def read_moves(mirror: Mirror, models: Path) -> list[Move]:
    """All moves of a pipeline, the oldest first.

    Raises:
        UserError: one is damaged, or gone.
        TemporaryError: the bucket does not answer.
    """
    keys = [entry.key for entry in mirror.bucket.find(_folder(models)) if number_of(entry.key)]
    for number, key in enumerate(keys, 1):
        if number_of(key) != number:  # the next would get a number that is taken
            gone = f"{mirror.address}/{_folder(models)}/{number:08d}.json"
            raise UserError(f"{gone}: is gone, and with it who was champion then; restore it from a copy")
    return each(lambda key: _move(mirror, key), keys)


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


def _folder(models: Path) -> str:
    return f"moves/{models.name}"
