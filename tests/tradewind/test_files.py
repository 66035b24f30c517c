"""Files of a run: whole or not there, and text as it is."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tradewind.files import read_jsonl, sha256_of, write_atomically, write_jsonl


def test_rows_come_back_as_they_were_whatever_their_text_holds(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "두 줄\n둘"},
        {"text": "line\u2028and\u2029paragraph\x85"},
        {"n": 1, "deep": {"list": [None, True]}},
    ]
    assert write_jsonl(tmp_path / "rows.jsonl", rows) == 3
    assert read_jsonl(tmp_path / "rows.jsonl") == rows
    assert "두 줄" in (tmp_path / "rows.jsonl").read_text(encoding="utf-8")


def test_writing_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    write_atomically(path, "a much longer first text")
    write_atomically(path, "두번째")
    assert path.read_text(encoding="utf-8") == "두번째"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_stays_where_writing_the_new_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_process_number_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    texts = ["a" * 10_000, "b" * 10_000]

    def write(text: str) -> None:
        for _ in range(50):
            write_atomically(path, text)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(write, texts)) == [None, None]
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


def test_others_may_read_what_was_written_as_far_as_the_user_lets_them(tmp_path: Path) -> None:
    write_atomically(tmp_path / "config.json", "text")
    (tmp_path / "plain").write_text("text")
    assert (tmp_path / "config.json").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_s_digest_is_that_of_its_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "weights").write_bytes(content)
    assert sha256_of(tmp_path / "weights") == hashlib.sha256(content).hexdigest()
