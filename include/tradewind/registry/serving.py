"""Which version is served where: `serving.jsonl`, whose last word on a server is what holds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tradewind.errors import UserError
from tradewind.results import Contract

SERVING = "serving.jsonl"
_KEPT = 1000
"""Lines: a server that is restarted every night fills them in years."""


class ServingMove(Contract):
    """The alias moved to a server, was given back by one, or was refused to one."""

    at: str
    action: Literal["serve", "stop", "refuse"]
    server: str
    """Tells one start of a server from another."""
    version: str
    model_sha256: str
    name: str
    """What clients write as `model`."""
    url: str
    """What clients write as `base_url`."""
    engine: str
    equal: int | None = None
    """Answers of the smoke test that were the evaluation's, of `asked`."""
    asked: int | None = None
    why: str | None = None
    """Of a stop and of a refusal, in one line."""

    def then(self, action: Literal["serve", "stop", "refuse"], why: str | None = None) -> ServingMove:
        """The same server's move of this moment."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        return self.model_copy(update={"at": at, "action": action, "why": why})


def read_serving(folder: Path) -> list[ServingMove]:
    """The moves of a registry, the oldest first; UserError that names the line where the file is not ours."""
    file = folder / SERVING
    try:
        return moves_in(file.read_bytes(), str(file))
    except FileNotFoundError:
        return []


def moves_in(text: bytes, place: str) -> list[ServingMove]:
    """The moves that a text holds, a line each.

    Args:
        place: where it stands, for a fault's line.

    Raises:
        UserError: a line is not ours.
    """
    return [_move(line, f"{place}:{number}") for number, line in enumerate(text.splitlines(), 1)]


def _move(line: bytes, place: str) -> ServingMove:
    try:
        return ServingMove.model_validate_json(line)
    except ValidationError as error:
        raise UserError(f"{place}: {error.errors()[0]['msg']}; restore the line from a copy, or remove it") from error


def served_now(moves: list[ServingMove]) -> ServingMove | None:
    """Who has the alias; None: nobody, or its server said that it ended."""
    last = next((move for move in reversed(moves) if move.action != "refuse"), None)
    return last if last is not None and last.action == "serve" else None


def with_move(moves: list[ServingMove], move: ServingMove) -> str | None:
    """The text with one more line, which is written at once: history and alias change together.

    Returns:
        None for a stop of a server that has the alias no more.
    """
    now = served_now(moves)
    if move.action == "stop" and (now is None or now.server != move.server):
        return None
    return "".join(f"{known.model_dump_json()}\n" for known in [*moves[1 - _KEPT :], move])
