"""Everything that sources yield, at once: what tests look at, and too much for real documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tradewind.config import DataConfig
from tradewind.sources import iter_documents, with_pairs
from tradewind.sources.record import Item, LeftOut, Passage, Record, Rejected, SourceFile


@dataclass
class Documents:
    """All that was read from a data folder."""

    records: list[Record] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    related: list[tuple[str, str]] = field(default_factory=list)
    """Ids of two records that ask nearly the same: one split for both."""
    files: list[SourceFile] = field(default_factory=list)

    @classmethod
    def collect(cls, items: Iterable[Item]) -> Documents:
        """Take everything in; each entry of each file must have become a record or a rejection.

        Raises:
            AssertionError: a source lost an entry, or counted one twice: a fault of ours.
        """
        found = cls()
        counted: Counter[str] = Counter()
        accounted: Counter[str] = Counter()
        first_named: dict[str, str] = {}
        for item in items:
            if isinstance(item, SourceFile):
                counted[item.name] += item.entries
            elif isinstance(item, Passage):
                found.passages.append(item)
            else:
                accounted[item.file] += item.entries
                if isinstance(item, Rejected):
                    found.rejected.append(item)
                    continue
                if isinstance(item, LeftOut):
                    continue
                found.records.append(item)
                for name in item.names:  # the same term in another file or language
                    found.related.append((item.record_id, first_named.setdefault(name, item.record_id)))
        for name in counted | accounted:
            if counted[name] != accounted[name]:
                raise AssertionError(f"{name}: {counted[name]} entries, {accounted[name]} accounted for")
        found.files = [SourceFile(name, entries) for name, entries in counted.items()]
        return found


def read_documents(data_dir: Path, config: DataConfig) -> Documents:
    """Everything at once.

    Raises:
        UserError: as `iter_documents` and `with_pairs` do.
    """
    return Documents.collect(with_pairs(iter_documents(data_dir, config), data_dir))
