"""JSON lists entry by entry: as `json.loads` reads them, wherever a window ends."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tradewind.errors import UserError
from tradewind.sources import encoding
from tradewind.sources.tables import json_array

LIMIT = 1 << 20
TRICKY = r"""
 [ {"a": "x\\", "b": "\"]}", "c": {"d": [1, {"e": []}]}} ,12345,
  "\ud83d\ude00 \u00e9 ] [", [ ], [{"n": -1.50e+3}, [true, [null]]], false,
  {"": "한글 \n 😀"}, 7 ]
"""


def _rows(path: Path, text: str, limit: int = LIMIT) -> list[tuple[str, Any, str | None]]:
    path.write_text(text, encoding="utf-8")
    return [tuple(row) for row in json_array.rows(path, limit, "terms")]


def _expected(value: Any, key: tuple[int, ...] = ()) -> list[tuple[str, Any, None]]:
    if isinstance(value, list):
        return [row for index, member in enumerate(value) for row in _expected(member, (*key, index))]
    return [(".".join(map(str, key)), value, None)]


@pytest.mark.parametrize("block", [*range(1, 40), 1 << 20])
def test_wherever_a_window_ends_the_entries_are_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(encoding, "_BLOCK", block)
    whole = json.loads(TRICKY, parse_int=str, parse_float=str)
    assert _rows(tmp_path / "a.json", TRICKY) == _expected(whole)


def _document(rng: random.Random) -> list[Any]:
    """Mostly objects of texts, in lists or not, with what may look like the end of one."""
    texts = ("신용장", "}", "]}, {", '"', "\\", "[1] see {a}", "\ud83d\ude00", "😀", "\ud800", "\n", "", None)
    others = (1.5, True, {"in": {"side": "x"}}, ["a", {"b": "c"}])
    odd, nested = rng.choice((0, 0, 0.02)), rng.choice((0, 1, 0.5))

    def entry() -> Any:
        if rng.random() < odd:
            return rng.choice(([], {}, 7, *others))
        return {key: rng.choice(others if rng.random() < odd else texts) for key in "abc"[: rng.randint(0, 3)]}

    entries = [entry() for _ in range(60)]
    return [entries[at : at + 4] if rng.random() < nested else entries[at] for at in range(0, 60, 4)]


@pytest.mark.parametrize("at_once", [1, 30, 200, 1 << 16])
@pytest.mark.parametrize("seed", range(25))
def test_entries_that_are_read_many_at_once_are_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, at_once: int
) -> None:
    monkeypatch.setattr(json_array, "_AT_ONCE", at_once)
    rng = random.Random(seed)
    monkeypatch.setattr(encoding, "_BLOCK", rng.choice((50, 500, 1 << 20)))
    text = json.dumps(_document(rng), indent=rng.choice((None, 1)))
    assert _rows(tmp_path / "a.json", text) == _expected(json.loads(text, parse_int=str, parse_float=str))


BROKEN = [
    "", " \n ", "[", "[{]", '[\n {"term": }]', "[1 2]", "[1,]", "[,1]", "[1", '["a', "[tru]", "[1] x", "[[1], [2}]",
    '[{"a": 1}\n{"b": 2}]', '[{"a" 1}]', '["tab\tin it"]', r'["\x"]', "[nul", "{", "[1]]", "nothing", "[-]",
    '[{"a": "b"}, {"c": "d}, {"e": "f"}]',
]  # fmt: skip


@pytest.mark.parametrize("block", [1, 3, 1 << 20])
@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_file_is_told_with_the_line_and_column_that_json_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, block: int
) -> None:
    monkeypatch.setattr(encoding, "_BLOCK", block)
    padding = "\n" * 3
    with pytest.raises(json.JSONDecodeError) as theirs:
        json.loads(padding + text)
    with pytest.raises(UserError) as ours:
        _rows(tmp_path / "a.json", padding + text)
    wrong = theirs.value
    assert str(ours.value).startswith(f"{tmp_path}/a.json:{wrong.lineno}:{wrong.colno}: broken JSON ({wrong.msg})")


@pytest.mark.parametrize("block", [1, 10, 1 << 20])
@pytest.mark.parametrize(
    "long",
    [
        '{"term": "' + "x" * 5000 + '"}',
        '{"a": "' + r"\\\" ]}[{" * 900 + '", "b": [{"c": "]"}]}',
        '"' + "한" * 2000 + '"',
        json.dumps({"deep": [[["x" * 50] * 10] * 5] * 5}),
    ],
)
def test_an_entry_that_is_too_long_is_a_row_with_a_fault_and_the_next_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long: str, block: int
) -> None:
    monkeypatch.setattr(encoding, "_BLOCK", block)
    first, second, third = _rows(tmp_path / "a.json", f'[{{"n": 1}}, {long}, {{"n": 3}}]', limit=4096)
    assert (first[1], third) == ({"n": "1"}, ("2", {"n": "3"}, None))
    assert second[0] == "1"
    assert second[2] == "entry of more than 4096 bytes (data.max_line_bytes)"
    assert long.startswith(second[1])
    assert len(second[1]) <= 200


def test_an_entry_without_an_end_is_told_where_it_starts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.json:2:2: broken JSON \(an entry without an end\)"):
        _rows(tmp_path / "a.json", '[1,\n {"a": "' + "x" * 9000, limit=4096)


def test_an_entry_just_within_the_limit_is_read(tmp_path: Path) -> None:
    entry = '{"a": "' + "x" * (4096 - 9) + '"}'
    assert [row[2] for row in _rows(tmp_path / "a.json", f'[{entry},{entry[:-2]}x"}}]', limit=4096)] == [
        None,
        "entry of more than 4096 bytes (data.max_line_bytes)",
    ]


def test_lists_deeper_than_the_bound_are_one_entry(tmp_path: Path) -> None:
    rows = _rows(tmp_path / "a.json", "[" * 40 + "1" + "]" * 40)
    assert [row[0] for row in rows] == [".".join(["0"] * 32)]
    assert rows[0][1] == json.loads("[" * 8 + '"1"' + "]" * 8)


@pytest.mark.parametrize("text", ['{"term": "A"}', '"text"', "7", "null"])
def test_a_file_that_is_no_list_is_one_row_with_a_fault(tmp_path: Path, text: str) -> None:
    assert [(key, fault) for key, _, fault in _rows(tmp_path / "a.json", text)] == [("", "not a list of terms")]


def test_a_number_of_any_length_keeps_its_digits(tmp_path: Path) -> None:
    digits = "1" * 10_000
    assert [row[1] for row in _rows(tmp_path / "a.json", f"[{digits}, 1.10, NaN, -Infinity]")] == [
        digits, "1.10", None, None,
    ]  # fmt: skip
