"""Splits as tests look at them: records and pairs in place of the arrays that decide and the files that are written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import msgspec

from collected import Documents
from documents import rows
from tradewind.config import DataConfig, SplitConfig
from tradewind.dataset import split
from tradewind.dataset.catalogue import Catalogue, catalogue
from tradewind.dataset.corpus import write_corpus
from tradewind.dataset.lines import Lines
from tradewind.kinds import KINDS, Kind
from tradewind.sources.record import Item, Pair, Record, SourceFile

Items = tuple[tuple[Record, Pair], ...]


@dataclass(frozen=True)
class Split:
    """Pairs by their use."""

    decided: split.Split
    train: Items
    heldout: dict[Kind, Items]
    unseen_records: tuple[Record, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Split) and (self.train, self.heldout) == (other.train, other.heldout)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Sample:
    """Documents as read, and the catalogue made of them."""

    read: Documents
    catalogue: Catalogue
    folder: Path
    """For files."""

    @classmethod
    def of(cls, records: list[Record], folder: Path) -> Sample:
        """A catalogue of these records alone; its work files go into `folder`."""
        items: list[Item] = [
            *records,
            *(SourceFile(name, count) for name, count in Counter(r.file for r in records).items()),
        ]
        return cls(Documents(records=records), catalogue(items, folder, DataConfig()), folder)

    @cached_property
    def documents(self) -> Documents:
        """Without near-duplicates; the records of each duplicate and its twin are related."""
        twins, owners = self.catalogue.twin_of.tolist(), self.catalogue.record_of.tolist()
        pairs = [pair for record in self.read.records for pair in record.pairs]
        assert len(pairs) == len(twins)
        dropped = {pair.pair_id for pair, twin in zip(pairs, twins, strict=True) if twin >= 0}
        ids = [record.record_id for record in self.read.records]
        related = [(ids[owners[at]], ids[owners[twin]]) for at, twin in enumerate(twins) if twin >= 0]
        records = [
            msgspec.structs.replace(record, pairs=tuple(pair for pair in record.pairs if pair.pair_id not in dropped))
            for record in self.read.records
        ]
        return replace(self.read, records=records, related=[*self.read.related, *related])

    @property
    def dropped(self) -> list[str]:
        """The ids of the near-duplicates."""
        kept = {pair.pair_id for record in self.documents.records for pair in record.pairs}
        return [pair.pair_id for record in self.read.records for pair in record.pairs if pair.pair_id not in kept]

    def split(self, config: SplitConfig, seed: int) -> Split:
        """As `split_pairs` decides."""
        decided = split.split_pairs(self.catalogue, config, seed)
        items = [(record, pair) for record in self.read.records for pair in record.pairs]
        by_use: dict[int, list[tuple[Record, Pair]]] = {}
        for item, use in zip(items, decided.use_of.tolist(), strict=True):
            by_use.setdefault(use, []).append(item)
        return Split(
            decided,
            tuple(by_use.get(split.TRAIN, ())),
            {kind: tuple(by_use.get(code, ())) for code, kind in enumerate(KINDS)},
            tuple(record for record, hidden in zip(self.read.records, decided.is_unseen, strict=True) if hidden),
        )

    def corpus(self, decided: Split) -> list[str]:
        """The texts that `corpus.jsonl` would hold."""
        copy = Lines(self.folder / "copy")
        for line in self.catalogue.texts:
            copy.append(line)
        target = self.folder / "corpus.jsonl"
        count = write_corpus(replace(self.catalogue, texts=copy), decided.decided, target)
        texts = [row["text"] for row in rows(target)]
        assert len(texts) == count
        return texts
