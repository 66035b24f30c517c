"""What is read is accounted for to the last entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.catalogue import catalogue
from tradewind.sources.record import Item, Pair, Record, Rejected, SourceFile

RECORD = Record("a#1", "term", "a.json", "en", "Text.", (Pair("a#1/1", "a#1", "Q?", "A", "Q?"),))
REJECTED = Rejected("a.json", "entry 2", "no term", "{}")


@pytest.mark.parametrize(("items", "counted"), [([RECORD], 2), ([RECORD, REJECTED, REJECTED], 2), ([], 1)])
def test_an_entry_that_is_lost_or_counted_twice_is_a_fault_of_ours(
    items: list[Item], counted: int, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=rf"^a\.json: {counted} entries, {len(items)} accounted for$"):
        catalogue([*items, SourceFile("a.json", counted)], tmp_path, 0.9)


def test_entries_of_a_file_that_was_not_read_to_its_end_are_a_fault_of_ours(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="0 entries, 1 converted, 0 rejected"):
        catalogue([RECORD], tmp_path, 0.9)


def test_entries_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    counts = catalogue([RECORD, REJECTED, SourceFile("a.json", 2)], tmp_path, 0.9).counts
    assert (counts.entries, counts.converted, counts.rejected) == (2, 1, 1)
    assert counts.reasons == {"no term": 1}
