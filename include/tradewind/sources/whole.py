"""Documents that are read at once: texts without entries of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tradewind.errors import UserError
from tradewind.sources.encoding import Encoding, decoded, encoding_of


def read_text(path: Path) -> str:
    """A file's text; UserError names the first byte that is in no known encoding."""
    return "".join(decoded(path, encoding_of(path)))


def read_json(path: Path) -> Any:
    """A JSON document; UserError names the line and column where it breaks."""
    encoding = encoding_of(path)
    try:
        return json.loads("".join(decoded(path, encoding)))
    except json.JSONDecodeError as error:
        raise broken_json(path, encoding, error.lineno, error.colno, error.msg) from error
    except RecursionError as error:
        raise broken_json(path, encoding, 1, 1, "nested too deeply") from error


def broken_json(path: Path, encoding: Encoding, line: int, column: int, message: str) -> UserError:
    """What is wrong where; with a guessed encoding, that the guess may be."""
    lines = "one object a line? call it .jsonl; else " if message == "Extra data" else ""
    if encoding.not_utf8_at is not None:
        return UserError(
            f"{path}: byte {encoding.not_utf8_at}: not UTF-8, and read as {encoding.title} "
            f"broken JSON at {line}:{column} ({message}); {lines}mend, convert or remove the file"
        )
    return UserError(f"{path}:{line}:{column}: broken JSON ({message}); {lines}mend or remove the file")
