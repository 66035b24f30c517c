"""Files in formats that nobody reads are told; other people's files and hidden ones are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from collected import read_documents
from documents import WriteDocuments
from tradewind.config import DataConfig
from tradewind.errors import UserError
from tradewind.sources import iter_documents
from tradewind.sources.folder import unknown_files
from tradewind.sources.record import Record, SourceFile

GOOD = {"term_data/a.json": [{"term": "A", "description": "Good."}]}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("exam_data/a.csv", ".json, .jsonl"),
        ("term_data/a.xlsx", ".json, .jsonl, .csv, .tsv, .parquet"),
        ("qa_data/README", ".json, .jsonl, .csv, .tsv, .parquet"),
        ("transcript_data/a.doc", ".txt, .md, .pdf, .docx"),
        ("transcript_data/success/a.json", ".jsonl"),
    ],
)
def test_a_file_of_an_unknown_format_is_rejected_with_those_that_are_known(
    write_documents: WriteDocuments, name: str, known: str
) -> None:
    found = read_documents(write_documents(GOOD | {name: "text"}), DataConfig())
    (rejected,) = found.rejected
    folder, suffix = name.rpartition("/")[0], "" if name.endswith("README") else "." + name.rpartition(".")[2]
    assert (rejected.file, rejected.place) == (name, "file")
    assert rejected.reason == f"format '{suffix}' not known; known in {folder} are {known}"
    assert SourceFile(name, 1) in found.files


def test_hidden_files_and_files_elsewhere_are_nobody_s_documents(write_documents: WriteDocuments) -> None:
    elsewhere = {"term_data/.keep": "", "notes.doc": "", "other/a.doc": "", "term_data/.old/a.json": "[]"}
    assert not read_documents(write_documents(GOOD | elsewhere), DataConfig()).rejected


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("terms_data/b.json", "the folder 'terms_data' is not read; did you mean 'term_data'?"),
        ("Term_Data/b.json", "the folder 'Term_Data' is not read; did you mean 'term_data'?"),
        ("transcripts_data/2024/b.txt", "the folder 'transcripts_data' is not read; did you mean 'transcript_data'?"),
        ("term_data/old/b.json", "the folder 'term_data/old' is not read; put the file into 'term_data'"),
        (
            "transcript_data/Success/b.jsonl",
            "the folder 'transcript_data/Success' is not read; did you mean 'transcript_data/success'?",
        ),
        (
            "transcript_data/success/a/b.jsonl",
            "the folder 'transcript_data/success/a' is not read; put the file into 'transcript_data/success'",
        ),
    ],
)
def test_a_file_in_a_folder_that_nobody_reads_is_rejected_with_the_folder_it_may_be_meant_for(
    write_documents: WriteDocuments, name: str, reason: str
) -> None:
    found = read_documents(write_documents(GOOD | {name: "[]"}), DataConfig())
    assert [(item.file, item.place, item.reason) for item in found.rejected] == [(name, "file", reason)]
    assert SourceFile(name, 1) in found.files


def test_a_folder_that_the_recipe_names_as_a_dataset_is_read_there(write_documents: WriteDocuments) -> None:
    folder = write_documents({"terms_data/b.jsonl": '{"term": "B", "description": "Too."}\n'})
    assert list(unknown_files(folder, DataConfig()))
    assert not list(unknown_files(folder, DataConfig.model_validate({"datasets": [{"path": "terms_data"}]})))


def test_only_a_misspelt_folder_is_told_as_the_reason_why_nothing_is_there(write_documents: WriteDocuments) -> None:
    with pytest.raises(UserError, match=r"the first of 1 rejected: terms_data/a\.json: file: .* mean 'term_data'\?"):
        read_documents(write_documents({"terms_data/a.json": []}), DataConfig())


def test_only_an_unknown_format_is_told_as_the_reason_why_nothing_is_there(write_documents: WriteDocuments) -> None:
    with pytest.raises(UserError, match=r"the first of 1 rejected: qa_data/a\.xlsx: file: format '\.xlsx' not known"):
        read_documents(write_documents({"qa_data/a.xlsx": b"PK"}), DataConfig())


def test_documents_come_one_by_one_before_a_later_file_turns_out_broken(write_documents: WriteDocuments) -> None:
    items = iter_documents(write_documents(GOOD | {"term_data/b.json": "[{]", "term_data/0.xml": ""}), DataConfig())
    assert isinstance(next(items), Record)
    assert next(items) == SourceFile("term_data/a.json", 1)
    with pytest.raises(UserError, match=r"b\.json:1:3"):
        next(items)


def test_a_missing_folder_is_told_when_the_first_is_asked_for(tmp_path: Path) -> None:
    items = iter_documents(tmp_path / "absent", DataConfig())
    with pytest.raises(UserError, match="no such folder"):
        next(items)


@pytest.mark.parametrize(
    ("lines", "places"),
    [
        ('{"fixed_text": "Question: A? Answer: be"}\n\n{"fixed_text": "Question: C? Answer: de Question: E?"}\n',
         ["line 3, question 2"]),
        ('{"fixed_text": "Question: A? Answer: be Question: C? Answer: de"}\n{"fixed_te', ["line 2"]),
        ('{"fixed_text": "Question: A? Answer: be Question: C? Answer: de"}\n[7]\n{"fixed_text": ""}',
         ["line 2", "line 3, fixed_text"]),
    ],
)  # fmt: skip
def test_exams_may_stand_one_a_line(write_documents: WriteDocuments, lines: str, places: list[str]) -> None:
    found = read_documents(write_documents({"exam_data/a.jsonl": lines}), DataConfig())
    assert [record.pairs[0].answer for record in found.records] == ["be", "de"]
    assert len({record.record_id for record in found.records}) == 2
    assert [item.place for item in found.rejected] == places
