"""A file is read again when it changes, and only then."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tradewind.errors import UserError
from tradewind.file_memo import FileMemo
from tradewind.files import write_atomically


class _Reader:
    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, path: Path) -> Any:
        self.read.append(path.name)
        return json.loads(path.read_bytes())


def test_it_reads_once_until_the_file_is_another(tmp_path: Path) -> None:
    reader, file = _Reader(), tmp_path / "a.json"
    memo = FileMemo(reader)
    write_atomically(file, "1")
    assert [memo.get(file), memo.get(file)] == [1, 1]
    assert reader.read == ["a.json"]
    write_atomically(file, "2")
    assert memo.get(file) == 2


def test_another_file_of_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    """A stage that is made anew within the clock's step, or restored with its times."""
    memo, file = FileMemo(_Reader()), tmp_path / "a.json"
    write_atomically(file, "1")
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    assert memo.get(file) == 1
    write_atomically(file, "2")
    os.utime(file, ns=times)
    assert memo.get(file) == 2


def test_a_damaged_file_is_none_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "a.json"
    file.write_text("{")
    memo = FileMemo(_Reader())
    assert [memo.get(file), memo.get(file)] == [None, None]
    assert len(caplog.records) == 1
    assert str(file) in caplog.text


def test_a_complaint_of_our_own_is_a_damaged_file_too(tmp_path: Path) -> None:
    def refuse(path: Path) -> None:
        raise UserError(f"{path}: not ours")

    (tmp_path / "a.json").touch()
    assert FileMemo(refuse).get(tmp_path / "a.json") is None


def test_a_file_that_is_not_there_is_the_callers_to_judge(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileMemo(_Reader()).get(tmp_path / "a.json")
