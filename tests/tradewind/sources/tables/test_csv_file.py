"""CSV: rows that do not fit are rejected at their line, and only these."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.sources.tables import csv_file
from tradewind.sources.tables.row import Row

HEADER = b"term,description\n"


def _rows(tmp_path: Path, content: bytes, limit: int = 4096) -> list[Row]:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    return list(csv_file.rows(path, limit))


def _faults(rows: list[Row]) -> list[tuple[str, str]]:
    return [(row.key, row.fault) for row in rows if row.fault]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_any_end_of_a_line_ends_a_row_and_any_may_stand_in_quotes(tmp_path: Path, end: bytes) -> None:
    first, second = _rows(tmp_path, end.join([b"\xef\xbb\xbfterm, description", b'A,"one', b'two"', b"", b"B,three"]))
    assert first.value == {"term": "A", "description": f"one{end.decode()}two"}
    assert second == ("5", {"term": "B", "description": "three"}, None)


def test_a_quote_that_is_never_closed_costs_its_own_line_alone(tmp_path: Path) -> None:
    rows = _rows(tmp_path, HEADER + b'A,one\nB,"two\nC,three\n"D","four, and ""more"""\nE,five\n')
    assert [row.value["term"] for row in rows if not row.fault] == ["A", "C", "D", "E"]
    ((key, fault),) = _faults(rows)
    assert key == "3"
    assert fault.startswith("broken CSV: ")


def test_an_open_quote_holds_no_more_than_the_limit(tmp_path: Path) -> None:
    rows = _rows(tmp_path, HEADER + b'A,"one\n' + b"B,two\n" * 5000)
    assert _faults(rows) == [("2", "broken CSV: field larger than field limit (4096)")]
    assert len(rows) == 5001


def test_a_line_that_is_too_long_is_rejected_and_opens_no_quote(tmp_path: Path) -> None:
    rows = _rows(tmp_path, HEADER + b'A,"' + b"x" * 5000 + b"\nB,two\n")
    assert _faults(rows) == [("2", "line of more than 4096 bytes (data.max_line_bytes)")]
    assert rows[1].value == {"term": "B", "description": "two"}


def test_a_row_with_more_cells_than_columns_is_rejected_and_a_shorter_one_lacks_its_last(tmp_path: Path) -> None:
    rows = _rows(tmp_path, HEADER + b"A,one, two\nB\n")
    assert _faults(rows) == [("2", "3 cells under 2 columns")]
    assert rows[0].value == ["A", "one", " two"]
    assert rows[1].value == {"term": "B"}


def test_two_columns_of_one_name_are_never_guessed_between(tmp_path: Path) -> None:
    rows = _rows(tmp_path, b"term,description,term\nA,one,B\nC,two,D\n")
    assert {row.fault for row in rows} == {"two columns are named 'term'"}
    assert len(rows) == 2


def test_a_line_in_another_encoding_is_rejected_also_within_a_quoted_cell(tmp_path: Path) -> None:
    korean = "신용장".encode("cp949")
    good = "한글,하나\n".encode() * 3
    rows = _rows(tmp_path, HEADER + good + b'B,"two\n' + korean + b'"\n' + korean + b",x\nD,four\n")
    assert [row.value["term"] for row in rows if not row.fault] == ["한글", "한글", "한글", "D"]
    assert _faults(rows) == [("5", "byte 0: not UTF-8"), ("7", "byte 0: not UTF-8")]


def test_a_header_that_cannot_be_read_rejects_every_row_under_it(tmp_path: Path) -> None:
    rows = _rows(tmp_path, "용어,설명\n".encode("cp949") + "한글,하나\n두울,셋\n".encode())
    assert [(row.key, row.fault) for row in rows] == [
        (key, "the header cannot be read: byte 0: not UTF-8") for key in ("2", "3")
    ]
