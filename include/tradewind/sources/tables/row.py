"""A table: rows with their places, and how a cell becomes text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tradewind.sources.record import one_line


class Row(NamedTuple):
    """One entry of a table."""

    key: str
    """Where it stands; empty: the whole file."""
    value: Any
    """A mapping of columns, where the file holds what it should."""
    fault: str | None = None
    """Why it cannot be read."""


@dataclass(frozen=True)
class Table:
    """A file whose rows can be gone through again and again."""

    name: str
    unit: str
    """What a row's key counts: `entry`, `line`, `row`."""
    rows: Callable[[], Iterator[Row]]

    def place(self, key: str) -> str:
        """A row's place as people read it."""
        return f"{self.unit} {key}" if key else "top level"


def cell(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The first of these columns that holds something; None where none does."""
    for name in names:
        value = row.get(name)
        if (value and not value.isspace()) if isinstance(value, str) else value is not None:
            return value
    return None


def is_text(value: object) -> bool:
    """Whether `text_of` takes it: text, a number, or nothing."""
    return value is None or isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool))


def text_of(value: object) -> str:
    """Text on one line; a number as it is written; empty for anything else, and for what is no number."""
    if isinstance(value, str):
        return one_line(value)
    if value is None or not is_text(value) or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value)


def answer_of(value: object) -> tuple[str, str | None]:
    """An answer, a list's members with commas between them, and what is wrong with it.

    Empty texts in a list are passed over; a list of nothing is no answer.
    """
    if not isinstance(value, list):
        return text_of(value), None
    texts = [text_of(member) for member in value]
    if not any(texts) and all(is_text(member) for member in value):
        return "", None
    for number, member in enumerate(value, 1):
        if member is None or not is_text(member):
            return "", f"member {number} of the answer is {kind_of(member)}, not text"
    return ", ".join(text for text in texts if text), None


def kind_of(value: object) -> str:
    """What people call a value of that type."""
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (type(None), "null"),
        (bool, "a truth value"),
        ((list, tuple), "a list"),
        (Mapping, "an object"),
        (bytes, "bytes"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), f"a {type(value).__name__}")
