"""A folder of documents as a whole: every entry becomes a pair or is rejected, and faults are told in one line."""

from __future__ import annotations

import json
import unicodedata
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from collected import Documents, read_documents
from documents import SAMPLES, WriteDocuments, rows
from tradewind.config import DataConfig
from tradewind.errors import UserError
from tradewind.sources.record import Item, Rejected, Source, SourceFile

ENTRY = {"term": "Freight", "description": "The price of carriage."}


def _entries(folder: Path) -> dict[Source, int]:
    """Pairs that each source of a folder should yield, counted without the readers."""
    terms: list[Any] = []
    for path in (folder / "term_data").glob("*.json"):
        listed = json.loads(path.read_text(encoding="utf-8"))
        terms += chain.from_iterable(item if isinstance(item, list) else [item] for item in listed)
    exams = [
        json.loads(path.read_text(encoding="utf-8"))["fixed_text"] for path in (folder / "exam_data").glob("*.json")
    ]
    passages = chain.from_iterable(rows(path) for path in (folder / "transcript_data" / "success").glob("*.jsonl"))
    return {
        "term": 2 * len(terms),
        "exam": sum(text.count("Question:") + text.count("질문:") for text in exams),
        "transcript": sum(len(json.loads(row["json_output"])["qa_pairs"]) for row in passages),
    }


def _pairs(found: Documents, source: Source) -> int:
    return sum(len(record.pairs) for record in found.records if record.source == source)


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_every_entry_of_the_samples_becomes_a_pair(language: str) -> None:
    found = read_documents(SAMPLES[language], DataConfig())
    expected = _entries(SAMPLES[language])
    assert all(expected.values())
    assert {source: _pairs(found, source) for source in expected} == expected
    assert not found.rejected
    assert {record.language for record in found.records} == {language}


def test_other_people_s_glossary_is_read_whole(others_glossary: Path) -> None:
    found = read_documents(others_glossary, DataConfig())
    assert _pairs(found, "term") + 2 * len(found.rejected) == _entries(others_glossary)["term"]
    assert {record.language for record in found.records} == {"en", "ko"}


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_ids_are_unique_and_texts_are_single_lines(language: str) -> None:
    records = read_documents(SAMPLES[language], DataConfig()).records
    pairs = [pair for record in records for pair in record.pairs]
    assert len({record.record_id for record in records}) == len(records)
    assert len({pair.pair_id for pair in pairs}) == len(pairs)
    texts = [text for pair in pairs for text in (pair.question, pair.answer)] + [record.text for record in records]
    assert all(text and text == " ".join(text.split()) for text in texts)


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_every_record_of_the_samples_names_a_file_that_exists(language: str) -> None:
    found = read_documents(SAMPLES[language], DataConfig())
    assert {record.file for record in found.records} <= {file.name for file in found.files}
    assert all((SAMPLES[language] / file.name).is_file() for file in found.files)


def test_one_source_is_enough(write_documents: WriteDocuments) -> None:
    assert len(read_documents(write_documents({"term_data/a.json": [ENTRY]}), DataConfig()).records) == 1


def test_a_byte_order_mark_is_passed_over(write_documents: WriteDocuments) -> None:
    content = b"\xef\xbb\xbf" + json.dumps([ENTRY]).encode()
    assert len(read_documents(write_documents({"term_data/a.json": content}), DataConfig()).records) == 1


def test_files_are_read_in_name_order(write_documents: WriteDocuments) -> None:
    folder = write_documents({f"term_data/{name}.json": [ENTRY] for name in ("c", "a", "b")})
    read = [file.name for file in read_documents(folder, DataConfig()).files]
    assert read == [f"term_data/{name}.json" for name in ("a", "b", "c")]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, ["holds no documents", "term_data/*.json"]),
        ({"notes.txt": "hello"}, ["holds no documents"]),
        ({"term_data/a.json": "[{]"}, ["term_data/a.json:1:3", "broken JSON", "mend"]),
        ({"exam_data/a.json": ""}, ["exam_data/a.json:1:1", "broken JSON"]),
        ({"term_data/a.json": "[" * 100_000}, ["term_data/a.json", "broken JSON"]),
        ({"term_data/a.json": "한글".encode("cp949")}, ["term_data/a.json", "byte 0", "not UTF-8"]),
        ({"transcript_data/a.txt": "日本語".encode("shift_jis")}, ["transcript_data/a.txt", "not UTF-8"]),
        ({"transcript_data/success/a.jsonl": b'{"context": "\xff"}'}, ["success/a.jsonl", "byte 13", "not UTF-8"]),
        ({"transcript_data/a.txt": "Only text."}, ["no document yields", "transcript_data/success/*.jsonl"]),
        (
            {"term_data/a.json": [{"term": "t"}]},
            ["no document yields", "term_data/a.json", "entry 0", "no description"],
        ),
    ],
)
def test_documents_that_cannot_be_used_are_told_in_one_line(
    write_documents: WriteDocuments, files: dict[str, Any], told: list[str]
) -> None:
    folder = write_documents(files)
    with pytest.raises(UserError) as raised:
        read_documents(folder, DataConfig())
    message = str(raised.value)
    assert str(folder) in message
    assert "\n" not in message
    assert not [part for part in told if part not in message], message


@pytest.mark.parametrize(("name", "told"), [("absent", "no such folder; .*--data"), ("file", "is a file; .*--data")])
def test_a_folder_that_is_missing_or_a_file_is_told_with_the_option_to_set(
    tmp_path: Path, name: str, told: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=told):
        read_documents(tmp_path / name, DataConfig())


@pytest.mark.parametrize(("counted", "became"), [(2, 1), (0, 1)])
def test_an_entry_that_a_source_lost_or_made_up_is_a_fault_of_ours(counted: int, became: int) -> None:
    items: list[Item] = [Rejected.of("a.json", f"entry {n}", "no term", {}) for n in range(became)]
    with pytest.raises(AssertionError, match=rf"a\.json: {counted} entries, {became} accounted for"):
        Documents.collect([*items, SourceFile("a.json", counted)])


def test_letters_and_their_accents_are_composed_so_that_one_word_is_one_text(write_documents: WriteDocuments) -> None:
    apart = {"term": unicodedata.normalize("NFD", "무역 café"), "description": "가격."}
    (record,) = read_documents(write_documents({"term_data/a.json": [apart]}), DataConfig()).records
    assert record.text == "무역 café: 가격."
