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
    moves = []
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                moves.append(_move(line, f"{file}:{number}"))
    except FileNotFoundError:
        return []
    return moves


def _move(line: bytes, place: str) -> ServingMove:
    try:
        return ServingMove.model_validate_json(line)
    except ValidationError as error:
        raise UserError(f"{place}: {error.errors()[0]['msg']}; restore the line from a copy, or remove it") from error


def served_now(moves: list[ServingMove]) -> ServingMove | None:
    """Who has the alias; None: nobody, or its server said that it ended."""
    last = next((move for move in reversed(moves) if move.action != "refuse"), None)
    return last if last is not None and last.action == "serve" else None


def with_move(folder: Path, move: ServingMove) -> str:
    """What `serving.jsonl` holds with one more line; written by one rename, history and alias change together."""
    lines = [known.model_dump_json() for known in [*read_serving(folder)[1 - _KEPT :], move]]
    return "\n".join(lines) + "\n"
