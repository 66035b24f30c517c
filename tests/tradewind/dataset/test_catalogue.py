"""What is read is accounted for to the last entry."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from tradewind.config import DataConfig
from tradewind.dataset.catalogue import catalogue
from tradewind.sources.record import Item, Pair, Record, Rejected, SourceFile

RECORD = Record(
    "a#1", "term", "a.json", "en", "Text.", (Pair("a#1/1", "a#1", "What is it?", "A thing.", "What is it?"),)
)
REJECTED = Rejected("a.json", "entry 2", "no term", "{}")


@pytest.mark.parametrize(("items", "counted"), [([RECORD], 2), ([RECORD, REJECTED, REJECTED], 2), ([], 1)])
def test_an_entry_that_is_lost_or_counted_twice_is_a_fault_of_ours(
    items: list[Item], counted: int, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=rf"^a\.json: {counted} entries, {len(items)} accounted for$"):
        catalogue([*items, SourceFile("a.json", counted)], tmp_path, DataConfig())


def test_entries_of_a_file_that_was_not_read_to_its_end_are_a_fault_of_ours(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"a\.json: 0 entries, 1 accounted for"):
        catalogue([RECORD], tmp_path, DataConfig())


def test_entries_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    counts = catalogue([RECORD, REJECTED, SourceFile("a.json", 2)], tmp_path, DataConfig()).counts
    assert (counts.entries, counts.converted, counts.rejected) == (2, 1, 1)
    assert counts.reasons == {"no term": 1}


def test_a_pair_that_is_not_fit_to_be_trained_on_is_told_with_its_place(tmp_path: Path) -> None:
    unfit = Pair("a#1/2", "a#1", "Which of them?", "3", "Which of them?")
    record = msgspec.structs.replace(RECORD, pairs=(*RECORD.pairs, unfit))
    found = catalogue([record, SourceFile("a.json", 1)], tmp_path, DataConfig())
    assert (found.counts.pairs, found.counts.unfit, len(found.rows)) == (2, 1, 1)
    (told,) = (json.loads(line) for line in found.rejected)
    assert (told["file"], told["place"]) == ("a.json", "a#1/2")
    assert told["reason"] == "answer names an option that the question does not hold"
