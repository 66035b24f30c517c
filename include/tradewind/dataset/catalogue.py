"""Every record on disk, and in arrays what de-duplication and the split need to know of it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from tradewind.config import DataConfig
from tradewind.dataset.lines import Lines
from tradewind.dataset.near_duplicates import NearDuplicates
from tradewind.dataset.quality import faults_of
from tradewind.sources.record import Item, LeftOut, Pair, Passage, Record, Rejected, SourceFile
from tradewind.texts import Array, Hashes, Texts

_TELLING = 30  # characters of a sentence that says something of its own
_RECORDS_AT_ONCE = 512  # what their arrays take stays in a processor's cache
_CHARS_AT_ONCE = 1 << 20


class Row(msgspec.Struct, gc=False):
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


class Text(msgspec.Struct, gc=False):
    """One running text, as `corpus.jsonl` holds it."""

    text: str


class Stratum(NamedTuple):
    """Records of which each kind of held-out question takes its share."""

    source: str
    language: str
    has_own_text: bool
    """Whether a record's text can be read without reading the question: an exam question's cannot."""


@dataclass
class Counts:
    """What was counted while reading."""

    files: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    """The files of running text."""
    entries: int = 0
    """In all files, as their sources counted them."""
    converted: int = 0
    """Entries that became records."""
    rejected: int = 0
    """Entries that did not."""
    left_out: int = 0
    """Entries that a trial does not take, see `data.max_records`."""
    passages_left_out: int = 0
    """Passages that it does not take."""
    pairs: int = 0
    """Pairs that the records hold."""
    unfit: int = 0
    """Pairs that must not be trained on, by `quality.fault_of`."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why entries and pairs were left out, by `Rejected.kind`."""


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
    strata: list[Stratum]
    text_hashes: Hashes
    """n: of each record's normalised text."""
    ties: tuple[Hashes, Array]
    """Hashes of texts, sentences and names, each with the record that holds it: who shares one belongs together."""

    @property
    def n_records(self) -> int:
        """How many records were read."""
        return len(self.stratum_of)

    def by(self, part: Literal["source", "language"]) -> dict[str, int]:
        """How many records each source or language has."""
        counted: Counter[str] = Counter()
        for stratum, count in zip(self.strata, np.bincount(self.stratum_of).tolist(), strict=True):
            counted[getattr(stratum, part)] += count
        return dict(counted)

    def close(self) -> None:
        """Let go of the work files."""
        for lines in (self.rows, self.texts, self.passages, self.rejected):
            lines.close()


def catalogue(items: Iterable[Item], folder: Path, config: DataConfig) -> Catalogue:
    """Take everything in; each entry of each file must have become a record or a rejection, or be told as left out.

    Args:
        folder: an empty one for the work files.
        config: from which similarity a question repeats another, and which pairs are fit to be trained on.

    Raises:
        AssertionError: a source lost an entry, or counted one twice: a fault of ours.
    """
    reading = _Reading(folder, config)
    for item in items:
        if isinstance(item, Record):
            reading.take(item)
        elif isinstance(item, Rejected):
            reading.reject(item)
        elif isinstance(item, Passage):
            reading.counts.texts.add(item.file)
            reading.passages.append(encode_line(Text(item.text)))
        elif isinstance(item, LeftOut):
            reading.leave_out(item)
        else:
            reading.count(item)
    return reading.done()


_Pair = tuple[int, Record, Pair]
"""A pair with its record and that one's number."""


class _Reading:
    """Records on their way into files and arrays, some at a time."""

    def __init__(self, folder: Path, config: DataConfig) -> None:
        self.counts = Counts()
        self._quality = config.quality
        self.passages, self._rejected, self._rows, self._texts, self._stems = (
            Lines(folder / name) for name in ("passages", "rejected", "rows", "texts", "stems")
        )
        self._duplicates = NearDuplicates(config.near_duplicate_threshold)
        self._counted: Counter[str] = Counter()
        self._converted: Counter[str] = Counter()
        self._not_converted: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._strata: dict[tuple[str, str, bool], int] = {}
        self._stratum_of = array("B")
        self._record_of = array("q")
        self._fact_of = array("q")
        self._n_facts = 0
        self._text_hashes: list[Hashes] = []
        self._ties: list[tuple[Hashes, Array]] = []
        self._batch: list[Record] = []
        self._n_chars = 0

    def count(self, item: SourceFile) -> None:
        self._counted[item.name] += item.entries
        self.counts.files.add(item.name)

    def reject(self, item: Rejected) -> None:
        self._tell(item)
        self._not_converted[item.file] += item.entries

    def leave_out(self, item: LeftOut) -> None:
        self._left_out[item.file] += item.entries
        self.counts.passages_left_out += item.passages

    def _tell(self, item: Rejected) -> None:
        self._rejected.append(encode_line(item))
        self.counts.reasons[item.kind] += 1

    def take(self, record: Record) -> None:
        self._batch.append(record)
        self._n_chars += len(record.text)
        if len(self._batch) >= _RECORDS_AT_ONCE or self._n_chars >= _CHARS_AT_ONCE:
            self._flush()

    def done(self) -> Catalogue:
        self._flush()
        self._account()
        found = Catalogue(
            counts=self.counts,
            rows=self._rows,
            texts=self._texts,
            passages=self.passages,
            rejected=self._rejected,
            record_of=np.array(self._record_of, np.int64),
            fact_of=np.array(self._fact_of, np.int64),
            twin_of=self._duplicates.find(lambda pair: self._stems[pair].decode("utf-8", "surrogatepass")),
            stratum_of=np.array(self._stratum_of, np.uint8),
            strata=[Stratum(*stratum) for stratum in self._strata],
            text_hashes=np.concatenate([*self._text_hashes, np.empty(0, np.uint64)]),
            ties=(
                np.concatenate([*(hashes for hashes, _ in self._ties), np.empty(0, np.uint64)]),
                np.concatenate([*(records for _, records in self._ties), np.empty(0, np.int64)]),
            ),
        )
        self._stems.close()
        return found

    def _account(self) -> None:
        counts = self.counts
        counts.converted, counts.rejected = self._converted.total(), self._not_converted.total()
        counts.entries, counts.left_out = self._counted.total(), self._left_out.total()
        accounted = self._converted + self._not_converted + self._left_out
        for name in self._counted | accounted:
            if self._counted[name] != accounted[name]:
                raise AssertionError(f"{name}: {self._counted[name]} entries, {accounted[name]} accounted for")
        if counts.entries != counts.converted + counts.rejected + counts.left_out:
            raise AssertionError(
                f"{counts.entries} entries, {counts.converted} converted, {counts.rejected} rejected, "
                f"{counts.left_out} left out"
            )

    def _flush(self) -> None:
        batch, self._batch, self._n_chars = self._batch, [], 0
        if not batch:
            return
        first = len(self._stratum_of)
        for record in batch:
            self._converted[record.file] += record.entries
        strata = self._strata
        self._stratum_of.extend(
            [strata.setdefault((record.source, record.language, record.has_own_text), len(strata)) for record in batch]
        )
        every = [(number, record, pair) for number, record in enumerate(batch, first) for pair in record.pairs]
        if fit := self._fit(every):
            self._take_pairs(fit)
        self._take_texts(batch, np.arange(first, first + len(batch)))

    def _fit(self, pairs: list[_Pair]) -> list[_Pair]:
        """The pairs that may be trained on; the others are told."""
        faults = faults_of(
            [pair.question for _, _, pair in pairs],
            [pair.answer for _, _, pair in pairs],
            [record.language for _, record, _ in pairs],
            [pair.stem for _, _, pair in pairs],
            self._quality,
        )
        self.counts.pairs += len(pairs)
        self.counts.unfit += len(faults)
        for at, fault in faults.items():
            _, record, pair = pairs[at]
            self._tell(Rejected.of(record.file, pair.pair_id, fault, f"{pair.question} {pair.answer}"))
        return [pair for at, pair in enumerate(pairs) if at not in faults] if faults else pairs

    def _take_pairs(self, pairs: list[_Pair]) -> None:
        self._record_of.extend([number for number, _, _ in pairs])
        # Facts are numbered anew in each batch: none has pairs of two records.
        facts: dict[str, int] = {}
        n = self._n_facts
        self._fact_of.extend([n + facts.setdefault(pair.fact_id, len(facts)) for _, _, pair in pairs])
        self._n_facts += len(facts)
        rows = [
            Row(
                pair.pair_id, record.text, pair.question, pair.answer, record.source, record.file,
                record.record_id, pair.fact_id, record.language,
            )
            for _, record, pair in pairs
        ]  # fmt: skip
        self._rows.append(_encode_lines(rows))
        stems = Texts.of([pair.stem for _, _, pair in pairs])
        self._stems.append(stems.joined.encode("utf-8", "surrogatepass"))
        self._duplicates.add(stems, Texts.of([row.question for row in rows]).hashes)

    def _take_texts(self, batch: list[Record], numbers: Array) -> None:
        texts = Texts.of([record.text for record in batch])
        self._texts.append(_encode_lines([Text(record.text) for record in batch]))
        hashes = texts.hashes
        self._text_hashes.append(hashes)
        sentences, sentence_hashes = texts.sentences()
        telling = sentences.end - sentences.start >= _TELLING
        self._ties.append((hashes, numbers))
        self._ties.append((sentence_hashes[telling], numbers[sentences.owner[telling]]))
        names = [name for record in batch for name in record.names]
        if names:
            owners = np.repeat(numbers, [len(record.names) for record in batch])
            self._ties.append((Texts.as_they_are(names).hashes, owners))


_encoder = msgspec.json.Encoder()
_encode_lines = _encoder.encode_lines


def encode_line(row: Any) -> bytes:
    """One JSON object with its line feed, text as it is (not escaped)."""
    return _encoder.encode(row) + b"\n"
