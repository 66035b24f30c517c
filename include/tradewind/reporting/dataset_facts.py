"""What a data set's card says, gathered in one pass: counters and samples, never the rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tradewind.dataset.split_proof import USES, Use
from tradewind.reporting.sampling import Reservoir
from tradewind.sources.record import reason_kind

FIELDS = ("question", "answer", "context")
GROUPINGS = ("source", "language", "file")
ROWS_PER_SOURCE = 10
EXAMPLES_PER_REASON = 3
MOST_REASONS = 100
_OTHER = "other reasons"


@dataclass(frozen=True)
class CountRow:
    """How many pairs one source, language or file has in each use."""

    name: str
    counts: tuple[int, ...]
    """In the order of `USES`."""

    @property
    def total(self) -> int:
        """All pairs of this row."""
        return sum(self.counts)


@dataclass(frozen=True)
class LengthRow:
    """How long the texts of a field are, in characters."""

    field: str
    shortest: int
    median: int
    most: int
    """What 95 of 100 are no longer than."""
    longest: int


class DatasetFacts:
    """Counts, lengths and samples of the pairs and of what was rejected."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._counts: dict[str, Counter[tuple[str, Use]]] = {grouping: Counter() for grouping in GROUPINGS}
        self.uses: Counter[Use] = Counter()
        self.lengths: dict[str, dict[str, Counter[int]]] = {field: defaultdict(Counter) for field in FIELDS}
        self.samples: dict[str, Reservoir[tuple[Use, Mapping[str, Any]]]] = {}
        self.reasons: dict[str, Reservoir[Mapping[str, Any]]] = {}

    def add_pair(self, use: Use, row: Mapping[str, Any]) -> None:
        """Take in a row of `train.jsonl` or `heldout.jsonl`."""
        self.uses[use] += 1
        for grouping, counts in self._counts.items():
            counts[row[grouping], use] += 1
        source = row["source"]
        for field, lengths in self.lengths.items():
            lengths[source][len(row[field])] += 1
        if source not in self.samples:
            self.samples[source] = Reservoir(ROWS_PER_SOURCE, f"{self._seed}:{source}")
        self.samples[source].offer((use, row))

    def add_rejected(self, row: Mapping[str, Any]) -> None:
        """Take in a row of `rejected.jsonl`."""
        reason = reason_kind(row["reason"])
        if reason not in self.reasons:
            if len(self.reasons) >= MOST_REASONS:
                reason = _OTHER
            self.reasons.setdefault(reason, Reservoir(EXAMPLES_PER_REASON, f"{self._seed}:{reason}"))
        self.reasons[reason].offer(row)

    def counted(self, grouping: str) -> list[CountRow]:
        """The pairs by `source`, `language` or `file`, the largest first."""
        counts = self._counts[grouping]
        names = {name for name, _ in counts}
        rows = [CountRow(name, tuple(counts[name, use] for use in USES)) for name in names]
        return sorted(rows, key=lambda row: (-row.total, row.name))

    def length_rows(self) -> list[LengthRow]:
        """The spread of each field's lengths."""
        return [_spread(field, by_source.values()) for field, by_source in self.lengths.items()]


def _spread(field: str, counters: Iterable[Counter[int]]) -> LengthRow:
    lengths: Counter[int] = Counter()
    for counts in counters:
        lengths.update(counts)
    total = lengths.total()

    def quantile(percent: int) -> int:
        below = 0
        for length in sorted(lengths):
            below += lengths[length]
            if 100 * below >= percent * total:
                return length
        return 0

    return LengthRow(field, min(lengths, default=0), quantile(50), quantile(95), max(lengths, default=0))
