"""Every record on disk, and in arrays what de-duplication and the split need to know of it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from tradewind.lines import Lines
from tradewind.near_duplicates import NearDuplicates
from tradewind.sources.record import Item, Passage, Record, Rejected, SourceFile
from tradewind.texts import Array, Hashes, Texts

_TELLING = 30  # characters of a sentence that says something of its own
_RECORDS_AT_ONCE = 1024  # what their arrays take stays in a processor's cache
_CHARS_AT_ONCE = 1 << 20


class Row(msgspec.Struct):
    """One question with its answer, as the output files hold it."""

    id: str
    context: str
    question: str
    answer: str
    source: str
    file: str
    record_id: str
    fact_id: str
    language: str


class Text(msgspec.Struct):
    """One running text, as `corpus.jsonl` holds it."""

    text: str


@dataclass
class Counts:
    """What was counted while reading."""

    files: list[SourceFile] = field(default_factory=list)
    entries: int = 0
    """In all files, as their sources counted them."""
    converted: int = 0
    """Entries that became records."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why the others did not, by the first words of the reason."""

    @property
    def rejected(self) -> int:
        """Entries that became no record."""
        return self.reasons.total()


@dataclass(frozen=True)
class Catalogue:
    """What was read, in the order of reading: n records with m pairs."""

    counts: Counts
    rows: Lines
    """m: each pair's `Row`."""
    texts: Lines
    """n: each record's `Text`."""
    passages: Lines
    """Each passage's `Text`."""
    rejected: Lines
    """Each `Rejected`."""
    record_of: Array
    """m: the record that a pair belongs to."""
    fact_of: Array
    """m: the fact that a pair asks for, numbered through all records."""
    twin_of: Array
    """m: the earlier pair whose question a pair repeats, or -1."""
    stratum_of: npt.NDArray[np.uint8]
    """n: an index into `strata`."""
    strata: list[tuple[str, str]]
    """Source and language."""
    has_own_text: npt.NDArray[np.bool_]
    """n: whether a record's text can be read without reading its questions."""
    text_hashes: Hashes
    """n: of each record's normalised text."""
    ties: tuple[Hashes, Array]
    """Hashes of texts, sentences and names, each with the record that holds it: who shares one belongs together."""

    @property
    def n_records(self) -> int:
        """N."""
        return len(self.stratum_of)

    def by(self, part: int) -> dict[str, int]:
        """How many records each source (`part` 0) or language (1) has."""
        counted: Counter[str] = Counter()
        for stratum, count in zip(self.strata, np.bincount(self.stratum_of).tolist(), strict=True):
            counted[stratum[part]] += count
        return dict(counted)

    def row(self, pair: int) -> Row:
        """A pair as it was read."""
        return msgspec.json.decode(self.rows[pair], type=Row)

    def close(self) -> None:
        """Let go of the work files."""
        for lines in (self.rows, self.texts, self.passages, self.rejected):
            lines.close()


def catalogue(items: Iterable[Item], folder: Path, threshold: float) -> Catalogue:
    """Take everything in; each entry of each file must have become a record or a rejection.

    Args:
        folder: an empty one for the work files.
        threshold: similarity from which a question repeats another.

    Raises:
        AssertionError: a source lost an entry, or counted one twice: a fault of ours.
    """
    reading = _Reading(folder, threshold)
    counted: Counter[str] = Counter()
    accounted: Counter[str] = Counter()
    for item in items:
        if isinstance(item, Record):
            accounted[item.file] += item.entries
            reading.take(item)
        elif isinstance(item, Rejected):
            accounted[item.file] += item.entries
            reading.reject(item)
        elif isinstance(item, Passage):
            reading.passages.extend([msgspec.json.encode(Text(item.text))])
        else:
            counted[item.name] += item.entries
    counts = reading.counts
    for name in counted | accounted:
        if counted[name] != accounted[name]:
            raise AssertionError(f"{name}: {counted[name]} entries, {accounted[name]} accounted for")
    counts.files = [SourceFile(name, entries) for name, entries in counted.items()]
    counts.entries = sum(file.entries for file in counts.files)
    counts.converted = accounted.total() - counts.rejected
    if counts.entries != counts.converted + counts.rejected:
        raise AssertionError(f"{counts.entries} entries, {counts.converted} converted and {counts.rejected} rejected")
    return reading.done()


class _Reading:
    """Records on their way into files and arrays, some at a time."""

    def __init__(self, folder: Path, threshold: float) -> None:
        self.counts = Counts()
        self.passages, self._rejected, self._rows, self._texts, self._stems = (
            Lines(folder / name) for name in ("passages", "rejected", "rows", "texts", "stems")
        )
        self._encode = msgspec.json.Encoder().encode
        self._duplicates = NearDuplicates(threshold)
        self._strata: dict[tuple[str, str], int] = {}
        self._stratum_of = array("B")
        self._has_own_text = array("B")
        self._n_pairs = array("q")
        self._n_facts = array("q")
        self._fact_in_record = array("q")
        self._text_hashes: list[Hashes] = []
        self._ties: list[tuple[Hashes, Array]] = []
        self._n_done = 0
        self._batch = _Batch()

    def reject(self, item: Rejected) -> None:
        self._rejected.extend([self._encode(item)])
        self.counts.reasons[item.reason.split(":")[0].split(" of ")[0]] += 1

    def take(self, record: Record) -> None:
        batch, text = self._batch, record.text
        batch.texts.append(text)
        batch.names += record.names
        batch.n_names.append(len(record.names))
        batch.chars += len(text)
        facts: dict[str, int] = {}
        for pair in record.pairs:
            fact = facts.setdefault(pair.fact_id, len(facts))
            self._fact_in_record.append(fact)
            batch.stems.append(pair.stem)
            batch.chars += len(pair.stem)
            batch.rows.append(
                self._encode(
                    Row(
                        pair.pair_id, text, pair.question, pair.answer, record.source, record.file,
                        record.record_id, pair.fact_id, record.language,
                    )
                )
            )  # fmt: skip
        self._has_own_text.append(record.has_own_text)
        self._n_pairs.append(len(record.pairs))
        self._n_facts.append(len(facts))
        stratum = (record.source, record.language)
        self._stratum_of.append(self._strata.setdefault(stratum, len(self._strata)))
        if len(batch.texts) >= _RECORDS_AT_ONCE or batch.chars >= _CHARS_AT_ONCE:
            self._flush()

    def done(self) -> Catalogue:
        self._flush()
        n_pairs, n_facts = np.array(self._n_pairs, np.int64), np.array(self._n_facts, np.int64)
        record_of = np.repeat(np.arange(len(n_pairs)), n_pairs)
        found = Catalogue(
            counts=self.counts,
            rows=self._rows,
            texts=self._texts,
            passages=self.passages,
            rejected=self._rejected,
            record_of=record_of,
            fact_of=np.array(self._fact_in_record, np.int64) + (np.cumsum(n_facts) - n_facts)[record_of],
            twin_of=self._duplicates.find(lambda pair: self._stems[pair].decode()),
            stratum_of=np.array(self._stratum_of, np.uint8),
            strata=list(self._strata),
            has_own_text=np.array(self._has_own_text, np.bool_),
            text_hashes=np.concatenate([*self._text_hashes, np.empty(0, np.uint64)]),
            ties=(
                np.concatenate([*(hashes for hashes, _ in self._ties), np.empty(0, np.uint64)]),
                np.concatenate([*(records for _, records in self._ties), np.empty(0, np.int64)]),
            ),
        )
        self._stems.close()
        return found

    def _flush(self) -> None:
        batch, self._batch = self._batch, _Batch()
        if not batch.texts:
            return
        self._rows.extend(batch.rows)
        self._texts.extend([self._encode(Text(text)) for text in batch.texts])
        if batch.stems:
            self._stems.extend([stem.replace("\n", " ").encode() for stem in batch.stems])
            self._duplicates.add(Texts.of(batch.stems))
        texts = Texts.of(batch.texts)
        self._text_hashes.append(texts.hashes)
        records = np.arange(self._n_done, self._n_done + len(batch.texts))
        sentences, hashes = texts.sentences()
        telling = sentences.end - sentences.start >= _TELLING
        self._ties.append((texts.hashes, records))
        self._ties.append((hashes[telling], records[sentences.owner[telling]]))
        if batch.names:
            self._ties.append((Texts.as_they_are(batch.names).hashes, np.repeat(records, batch.n_names)))
        self._n_done += len(batch.texts)


@dataclass
class _Batch:
    """Of some records, what is treated together."""

    texts: list[str] = field(default_factory=list)
    stems: list[str] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    n_names: list[int] = field(default_factory=list)
    chars: int = 0
