"""Encodings: what a file says itself, UTF-8, and CP949 where that gives Korean; anything else is told."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest

from collected import read_documents
from documents import WriteDocuments, passage
from tradewind.config import DataConfig
from tradewind.errors import UserError
from tradewind.sources import encoding
from tradewind.sources.encoding import decoded, encoding_of

TERMS = [
    {"kor_term": "신용장", "eng_term": "Letter of Credit", "description": "은행의 지급 확약이다 😀."},
    {"term": "رسوم", "description": "Duties; العربية עברית"},
]
TEXT = json.dumps(TERMS, ensure_ascii=False)
KOREAN = '[{"kor_term": "신용장", "description": "은행의 지급 확약이다."}]'

ENCODED = {
    "UTF-8": TEXT.encode(),
    "UTF-8 with a mark": codecs.BOM_UTF8 + TEXT.encode(),
    "UTF-16, little end first": codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
    "UTF-16, big end first": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "UTF-16 without a mark": TEXT.encode("utf-16-le"),
    "UTF-16, big, without a mark": TEXT.encode("utf-16-be"),
    "UTF-32, little end first": codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
    "UTF-32, big end first": codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
}


@pytest.mark.parametrize("name", ENCODED)
@pytest.mark.parametrize("block", [1 << 20, 5])
def test_a_glossary_in_any_unicode_encoding_is_the_same_glossary(
    write_documents: WriteDocuments, monkeypatch: pytest.MonkeyPatch, name: str, block: int
) -> None:
    monkeypatch.setattr(encoding, "_BLOCK", block)
    found = read_documents(write_documents({"term_data/a.json": ENCODED[name]}), DataConfig())
    assert [record.pairs[0].answer for record in found.records] == ["신용장", "رسوم"]
    assert [record.pairs[1].answer for record in found.records] == ["은행의 지급 확약이다 😀.", "Duties; العربية עברית"]
    assert not found.rejected


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_korean_in_cp949_is_read(write_documents: WriteDocuments, suffix: str) -> None:
    text = KOREAN if suffix == "json" else KOREAN.strip("[]")
    found = read_documents(write_documents({f"term_data/a.{suffix}": text.encode("cp949")}), DataConfig())
    assert [record.pairs[0].answer for record in found.records] == ["신용장"]


def test_a_lecture_in_cp949_is_read(write_documents: WriteDocuments) -> None:
    folder = write_documents(
        {"transcript_data/a.txt": "신용장이다.\n\n똠방각하".encode("cp949"), "term_data/b.json": TEXT}
    )
    assert [passage.text for passage in read_documents(folder, DataConfig()).passages] == ["신용장이다.", "똠방각하"]


@pytest.mark.parametrize(
    ("content", "at"),
    [
        ("Äpfel und Öl".encode("latin-1"), 0),  # Ä with p is a syllable of CP949 that nobody writes
        ("naïve".encode("latin-1"), 2),
        ("日本語の文".encode("shift_jis"), 0),
        ("中文词典说明".encode("gbk"), 0),
        ("Деньги".encode("cp1251"), 0),
        (b"a" * 5_000_000 + b"\xff", 5_000_000),
        (b"a" * ((1 << 20) - 1) + "€".encode()[:2] + b"a", (1 << 20) - 1),
        (codecs.BOM_UTF16_LE + "한글".encode("utf-16-le")[:-1], 4),
    ],
)
def test_what_no_known_encoding_reads_is_told_with_the_first_wrong_byte(
    tmp_path: Path, content: bytes, at: int
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"a\.txt: byte {at}: not UTF-(8|16); convert it"):
        encoding_of(path)


def test_a_nul_byte_alone_does_not_make_utf_16(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"Plain text with one stray \x00 byte in a longer line of more than eighty letters or so.")
    assert "".join(decoded(path, encoding_of(path))).startswith("Plain text")


GOOD = [passage(f"문장 {number}.", [{"question": f"질문 {number}?", "answer": f"답 {number}"}]) for number in range(5)]
PAIRS = "transcript_data/success/a.jsonl"


@pytest.mark.parametrize(
    ("usual", "other", "reason"),
    [
        ("utf-8", "cp949", "byte 13: not UTF-8"),
        ("utf-8", "utf-16-le", "byte "),
        ("cp949", "utf-8", ""),
    ],
)
def test_a_line_in_another_encoding_is_rejected_and_the_others_are_kept(
    write_documents: WriteDocuments, usual: str, other: str, reason: str
) -> None:
    lines = [line.encode(usual) for line in GOOD]
    lines[3] = GOOD[3].strip().encode(other).replace(b"\n", b"") + b"\n"
    found = read_documents(write_documents({PAIRS: b"".join(lines)}), DataConfig())
    assert [record.text for record in found.records] == ["문장 0.", "문장 1.", "문장 2.", "문장 4."]
    (rejected,) = found.rejected
    assert rejected.place == "line 4"
    assert reason in rejected.reason


def test_a_line_of_utf_8_that_happens_to_be_cp949_is_no_nonsense_in_a_file_of_cp949(
    write_documents: WriteDocuments,
) -> None:
    # Two syllables are six bytes: three characters of CP949.
    stray = next(
        text
        for text in (f"{chr(one)}{chr(other)}" for one in range(0xAC00, 0xD7A4, 7) for other in (0xAC00, 0xB098))
        if _reads(text.encode(), "cp949")
    )
    lines = [line.encode("cp949") for line in GOOD]
    lines[1] = passage(stray, [{"question": "Q?", "answer": "A"}]).encode()
    found = read_documents(write_documents({PAIRS: b"".join(lines)}), DataConfig())
    assert len(found.records) == 4
    assert [(item.place, item.reason) for item in found.rejected] == [("line 2", "UTF-8 in a file of CP949")]


def _reads(content: bytes, name: str) -> bool:
    try:
        content.decode(name)
    except UnicodeDecodeError:
        return False
    return True
