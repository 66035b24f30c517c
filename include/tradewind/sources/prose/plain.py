"""Plain text: passages apart by blank lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tradewind.sources.encoding import encoding_of
from tradewind.sources.lines import lines, too_long
from tradewind.sources.record import Rejected


def blocks(path: Path, name: str, limit: int) -> Iterator[str | Rejected]:
    """Every passage; one that is too long is passed over without being held."""
    parts: list[str] = []
    start = size = 0
    for line in lines(path, encoding_of(path), limit, newline=""):
        if line.text.isspace() and not line.fault:
            if size:
                yield _passage(parts, name, start, size, limit)
            parts, size = [], 0
            continue
        start = start if size else line.number
        size += limit + 1 if line.fault else len(line.text.encode())
        parts.append(line.text if size <= limit else "")
    if size:
        yield _passage(parts, name, start, size, limit)


def _passage(parts: list[str], name: str, start: int, size: int, limit: int) -> str | Rejected:
    if size > limit:
        return Rejected.of(name, f"line {start}", too_long("passage", limit), parts[0])
    return "".join(parts)
