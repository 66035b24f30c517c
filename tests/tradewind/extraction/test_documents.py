"""Which texts are asked about: all but those whose pairs are there."""

from __future__ import annotations

import logging
import unicodedata
from pathlib import Path

import pytest

from tradewind.config import DataConfig
from tradewind.extraction.documents import unextracted


def _asked(data_dir: Path) -> set[str]:
    return {Path(passage.file).name for passage in unextracted(data_dir, DataConfig())}


def _documents(folder: Path, texts: list[str], pairs: list[str]) -> Path:
    (folder / "transcript_data" / "success").mkdir(parents=True)
    for name in texts:
        (folder / "transcript_data" / name).write_text("A quay is where ships lie.")
    for name in pairs:
        (folder / "transcript_data" / "success" / name).write_text("")
    return folder


@pytest.mark.parametrize(
    ("texts", "pairs", "asked"),
    [
        (["a.txt", "b.txt"], [], {"a.txt", "b.txt"}),
        (["a.txt", "b.txt"], ["a.jsonl"], {"b.txt"}),
        (["a.txt", "b.txt"], ["a.txt.jsonl"], {"b.txt"}),
        (["a.txt", "a.md"], ["a.jsonl"], {"a.txt", "a.md"}),
        (["a.txt", "a.md"], ["a.md.jsonl"], {"a.txt"}),
        (["a.txt", "a.md"], ["a.md.jsonl", "a.txt.jsonl", "a.jsonl"], set()),
        (["a.txt", "a.txt.md"], ["a.txt.jsonl"], {"a.txt.md"}),
        (["a.txt"], ["b.jsonl", "A.jsonl"], {"a.txt"}),
        ([unicodedata.normalize("NFD", "관세.txt")], [unicodedata.normalize("NFC", "관세.jsonl")], set()),
    ],
)
def test_a_text_is_left_out_where_a_file_of_pairs_can_be_no_other_s(
    tmp_path: Path, texts: list[str], pairs: list[str], asked: set[str]
) -> None:
    assert _asked(_documents(tmp_path, texts, pairs)) == asked


def test_how_many_texts_are_left_out_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tradewind")
    _asked(_documents(tmp_path, ["a.txt", "b.txt", "c.txt"], ["a.jsonl", "b.jsonl"]))
    assert caplog.messages == ["extract: 2 of 3 texts have their pairs in transcript_data/success and are left out"]


def test_pairs_that_may_be_of_two_texts_are_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _asked(_documents(tmp_path, ["a.txt", "a.md"], ["a.jsonl"]))
    (told,) = caplog.messages
    assert told == (
        "transcript_data/success/a.jsonl: leaves out none of transcript_data/a.md, transcript_data/a.txt, "
        "each of which it may belong to; name it a.md.jsonl after its text"
    )


def test_other_documents_are_not_read(tmp_path: Path) -> None:
    folder = _documents(tmp_path, ["a.txt"], [])
    (folder / "exam_data").mkdir()
    (folder / "exam_data" / "broken.json").write_text("{")
    assert _asked(folder) == {"a.txt"}
