"""A trial takes the first records of each kind of source, and every entry is accounted for all the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from documents import Cli, WriteDocuments, glossary, passage
from tradewind.config import DataConfig
from tradewind.extraction.documents import unextracted
from tradewind.sources import iter_documents
from tradewind.sources.record import Item, LeftOut, Passage, Record, SourceFile
from tradewind.stages.prepare import left_out

QUESTIONS = " ".join(f"Question: What is {number}? Answer: Number {number}." for number in range(5))
FILES: dict[str, Any] = {
    "exam_data/e.json": {"fixed_text": QUESTIONS},
    "term_data/a.json": [*glossary(30), "no object"],
    "term_data/b.json": glossary(40)[30:],
    "qa_data/q.csv": "question,answer\n" + "".join(f"What is {n}?,It is {n}.\n" for n in range(6)),
    "transcript_data/l.txt": "\n\n".join(f"Passage {n} says something." for n in range(7)),
    "transcript_data/success/m.jsonl": "".join(
        passage(f"Passage {n}.", [{"question": f"Who is {n}?", "answer": f"{n}."}, {"question": "?", "answer": ""}])
        for n in range(4)
    ),
}
SPLIT = ("--set", "split.min_items=2")


def _read(folder: Path, most: int | None) -> list[Item]:
    return list(iter_documents(folder, DataConfig(max_records=most)))


def test_of_each_kind_of_source_the_first_records_and_passages_are_taken(write_documents: WriteDocuments) -> None:
    folder = write_documents(FILES)
    everything, limited = _read(folder, None), _read(folder, 3)
    for source in ("exam", "term", "qa", "transcript"):
        of_it = [item for item in everything if isinstance(item, Record) and item.source == source]
        assert len(of_it) > 3
        assert [item for item in limited if isinstance(item, Record) and item.source == source] == of_it[:3]
    texts = [item for item in everything if isinstance(item, Passage)]
    assert [item for item in limited if isinstance(item, Passage)] == texts[:3]
    assert sum(item.passages for item in limited if isinstance(item, LeftOut)) == len(texts) - 3 == 4


def test_a_limit_that_is_not_reached_changes_nothing(write_documents: WriteDocuments) -> None:
    folder = write_documents(FILES)
    assert _read(folder, 1000) == _read(folder, None)
    assert not any(isinstance(item, LeftOut) for item in _read(folder, 40))


def test_entries_are_counted_as_without_a_limit(write_documents: WriteDocuments) -> None:
    folder = write_documents(FILES)
    files = [[item for item in _read(folder, most) if isinstance(item, SourceFile)] for most in (None, 1)]
    assert files[0] == files[1]


def test_pairs_are_drawn_from_no_more_passages(write_documents: WriteDocuments) -> None:
    folder = write_documents(FILES)
    assert len(unextracted(folder, DataConfig(max_records=2))) == 2


def test_prepare_accounts_for_what_it_leaves_out_and_warns(
    tmp_path: Path, write_documents: WriteDocuments, cli: Cli
) -> None:
    folder = write_documents(FILES)
    settings = ("--data", folder, "--run-dir", tmp_path / "run", *SPLIT)
    done = cli("prepare", *settings, "--set", "data.max_records=20")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run/prepare/result.json").read_text(encoding="utf-8"))
    metrics = result["metrics"]
    entries = metrics["entries"]
    assert (metrics["left_out"], metrics["passages_left_out"]) == (20, 0)
    assert entries["read"] == entries["converted"] + entries["rejected"] + metrics["left_out"]
    assert metrics["records"]["term"] == 20
    told = "20 entries left out by data.max_records: what is trained and scored is a trial"
    assert told in result["warnings"]
    assert "| entries left out" in (tmp_path / "run/prepare/dataset_card.md").read_text()


def test_validate_says_what_a_trial_leaves_out(write_documents: WriteDocuments, cli: Cli) -> None:
    folder = write_documents(FILES)
    done = cli("validate", "--data", folder, *SPLIT, "--set", "data.max_records=20")
    assert done.returncode == 0, done.stderr
    assert "; 20 entries left out by data.max_records; " in done.stdout
    assert "left out" not in cli("validate", "--data", folder, *SPLIT).stdout


@pytest.mark.parametrize(
    ("entries", "passages", "told"),
    [(0, 0, ""), (1, 0, "1 entry"), (0, 2, "2 passages"), (30, 1, "30 entries and 1 passage")],
)
def test_what_is_left_out_is_told_in_words(entries: int, passages: int, told: str) -> None:
    assert left_out(entries, passages) == (f"{told} left out by data.max_records" if told else "")


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_a_limit_that_is_none_is_refused(write_documents: WriteDocuments, cli: Cli, value: str) -> None:
    done = cli("validate", "--data", write_documents(FILES), "--set", f"data.max_records={value}")
    assert done.returncode == 2
    assert "data.max_records" in done.stderr
