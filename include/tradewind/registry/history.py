"""Who moved the pointer, when and why: `history.jsonl`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tradewind.errors import UserError
from tradewind.files import write_atomically
from tradewind.results import Contract

Action = Literal["promote", "rollback"]


class Move(Contract):
    """The pointer moved from one version to another."""

    at: str
    who: str
    action: Action
    before: str | None
    """The champion until then; None: there was none."""
    after: str
    model_sha256: str | None = None
    """The weights of `after`, which another version may have, too; None in a move noted before this was."""
    why: tuple[str, ...]

    @classmethod
    def now(
        cls, action: Action, *, before: str | None, after: str, model_sha256: str, who: str, why: tuple[str, ...]
    ) -> Move:
        """A move of this moment."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        return cls(at=at, who=who, action=action, before=before, after=after, model_sha256=model_sha256, why=why)


def read_moves(path: Path) -> list[Move]:
    """The moves in their order; UserError that names the line where the file is not ours."""
    moves = []
    try:
        with path.open("rb") as lines:  # as bytes: their lines end at "\n" alone, not at a U+2028 in somebody's reason
            for number, line in enumerate(lines, 1):
                moves.append(_move(line, f"{path}:{number}"))
    except FileNotFoundError:
        return []
    return moves


def _move(line: bytes, place: str) -> Move:
    try:
        return Move.model_validate_json(line)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise UserError(f"{place}: {message}; restore the line from a copy, or remove it") from error


def add_move(path: Path, move: Move) -> None:
    """Add a line; the file is replaced whole, so that no half of a line is ever seen."""
    lines = [known.model_dump_json() for known in [*read_moves(path), move]]
    write_atomically(path, "\n".join(lines) + "\n")


def predecessor(moves: list[Move], champion: str) -> str | None:
    """Who was champion before `champion` was promoted; a rollback to it counts as no promotion."""
    promotions = [move for move in moves if move.after == champion and move.action == "promote"]
    return promotions[-1].before if promotions else None


def taken_back(moves: list[Move], model_sha256: str, name: str | None = None) -> str | None:
    """Why weights may become champion by a human's order alone; None: they never were it, or are it now.

    A report made again, or the next night from the same documents, makes another version of the same weights.

    Args:
        name: the version's, which a move noted without weights has; None: it is new.
    """
    was = [move for move in moves if move.after == name or move.model_sha256 == model_sha256]
    if not was or was[-1] == moves[-1]:
        return None
    return (
        f"these weights were champion before, as {was[0].after}, and were taken back or replaced; "
        "tradewind models promote --force promotes them all the same"
    )
