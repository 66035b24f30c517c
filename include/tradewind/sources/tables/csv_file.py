"""A CSV file with a header: commas, semicolons or tabs, quotes doubled, line breaks within quotes."""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

from tradewind.sources.encoding import encoding_of_lines
from tradewind.sources.lines import Line, lines
from tradewind.sources.tables.row import Row

_DELIMITERS = ",;\t"


def rows(path: Path, limit: int) -> Iterator[Row]:
    """Every row under the header, by the number of its first line; blank lines are none.

    Where quotes do not fit, the row's first line is at fault alone: the reading goes on behind it.
    """
    feed = _Feed(lines(path, encoding_of_lines(path), limit, newline=""))
    # A limit of the module, not of a reader; the default is 128 KiB.
    csv.field_size_limit(limit)
    reader = csv.reader(feed, delimiter=_delimiter(path, feed), strict=True)
    header: list[str] | None = None
    headless: str | None = None
    while True:
        feed.taken.clear()
        try:
            cells, fault = next(reader), None
        except StopIteration:
            return
        except csv.Error as error:
            cells, fault = [], f"broken CSV: {error}"
        first = feed.taken[0]
        if fault:
            feed.give_back(1)
        else:
            fault = next((line.fault for line in feed.taken if line.fault), None)
        if header is None and (cells or fault):
            header = [name.strip() for name in cells]
            headless = f"the header cannot be read: {fault}" if fault else _twice(header)
        elif fault or headless:
            yield Row(str(first.number), first.text, headless or fault)
        elif header is not None and cells:
            misfit = f"{len(cells)} cells under {len(header)} columns" if len(cells) > len(header) else None
            yield Row(str(first.number), dict(zip(header, cells, strict=False)) if not misfit else cells, misfit)


class _Feed:
    """Lines for a CSV reader, which it may have to be given again."""

    def __init__(self, source: Iterator[Line]) -> None:
        self._source = source
        self._returned: deque[Line] = deque()
        self.taken: list[Line] = []

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._source)
        self.taken.append(line)
        # The start of a line that is too long must not open a quote.
        return line.text if line.text.endswith(("\n", "\r")) or not line.fault else "\n"

    def give_back(self, first: int) -> None:
        """Return the lines that were taken, from the `first` on."""
        self._returned.extendleft(reversed(self.taken[first:]))


def _delimiter(path: Path, feed: _Feed) -> str:
    """The one that cuts the header into most columns."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    header = next(feed, "")
    feed.give_back(0)
    return max(_DELIMITERS, key=lambda delimiter: len(next(csv.reader([header], delimiter=delimiter), [])))


def _twice(header: list[str]) -> str | None:
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    return f"two columns are named '{twice[0]}'" if twice else None
