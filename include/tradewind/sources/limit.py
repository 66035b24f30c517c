"""`data.max_records`: a trial takes the first records of each kind of source, and counts the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tradewind.sources.record import Item, LeftOut, Passage, Record


def limited(items: Iterable[Item], most: int | None) -> Iterator[Item]:
    """The same items with no more than `most` records and as many passages; what is beyond is told as left out.

    All is read all the same, so that every entry is accounted for.
    """
    if most is None:
        yield from items
        return
    records = passages = 0
    for item in items:
        if isinstance(item, Record):
            records += 1
            yield item if records <= most else LeftOut(item.file, entries=item.entries)
        elif isinstance(item, Passage):
            passages += 1
            yield item if passages <= most else LeftOut(item.file, passages=1)
        else:
            yield item
