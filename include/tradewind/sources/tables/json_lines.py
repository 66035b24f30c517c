"""A file of one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tradewind.sources.encoding import encoding_of_lines
from tradewind.sources.lines import lines
from tradewind.sources.tables.json_array import TEXTUAL
from tradewind.sources.tables.row import Row

_DEPTH = 32


def rows(path: Path, limit: int) -> Iterator[Row]:
    """The object of every line that is not blank; a line's list gives its members."""
    for line in lines(path, encoding_of_lines(path), limit):
        key = str(line.number)
        if line.fault:
            yield Row(key, line.text, line.fault)
        elif not line.text.isspace():
            try:
                value = TEXTUAL.decode(line.text)
            except (json.JSONDecodeError, RecursionError) as error:
                yield Row(key, line.text, broken_line(error))
            else:
                yield from [Row(key, value)] if value.__class__ is dict else _flat(value, key, _DEPTH)


def broken_line(error: ValueError | RecursionError) -> str:
    """Why a line is no JSON: what `json.loads` raised."""
    if isinstance(error, json.JSONDecodeError):
        return f"broken JSON at column {error.colno}: {error.msg}"
    return "broken JSON: nested too deeply" if isinstance(error, RecursionError) else f"broken JSON: {error}"


def _flat(value: Any, key: str, depth: int) -> Iterator[Row]:
    if isinstance(value, list) and value and depth:
        for index, member in enumerate(value):
            yield from _flat(member, f"{key}.{index}", depth - 1)
    else:
        yield Row(key, value)
