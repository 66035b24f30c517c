"""A file is read once as long as it stays as it is, and again when it may have changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tradewind.files import sha256_of
from tradewind.results import Artifact
from tradewind.reuse import hashes as module
from tradewind.reuse.hashes import FileHashes


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Each file that is really read."""
    found: list[Path] = []

    def counted(path: Path) -> str:
        found.append(path)
        return sha256_of(path)

    monkeypatch.setattr(module, "sha256_of", counted)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "documents.txt"
    path.write_text("first")
    return path


def _wait_until_old(path: Path) -> None:
    """A file's ctime cannot be set: only time makes it old."""
    while time.time_ns() - path.stat().st_ctime_ns < module._FRESH:
        time.sleep(0.05)


def test_an_old_file_is_read_once_in_all_runs(tmp_path: Path, file: Path, reads: list[Path]) -> None:
    _wait_until_old(file)
    for _ in range(3):
        with FileHashes(tmp_path) as hashes:
            assert hashes.of(file) == hashes.of(file) == sha256_of(file)
    assert reads == [file]
    file.write_text("other")  # of the same length
    with FileHashes(tmp_path) as hashes:
        assert hashes.of(file) == sha256_of(file)
    file.write_text("third")
    os.utime(file, ns=(0, 0))
    with FileHashes(tmp_path) as hashes:
        assert hashes.of(file) == sha256_of(file)


def test_a_file_that_was_just_written_is_read_each_time(tmp_path: Path, file: Path, reads: list[Path]) -> None:
    for _ in range(2):
        with FileHashes(tmp_path) as hashes:
            hashes.of(file)
    assert reads == [file, file]


def test_a_file_that_was_replaced_with_its_old_time_is_read_again(tmp_path: Path, file: Path) -> None:
    """As `rsync -a` or `mv` of another copy do."""
    _wait_until_old(file)
    with FileHashes(tmp_path) as hashes:
        hashes.of(file)
    other = tmp_path / "other"
    other.write_text("other")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    with FileHashes(tmp_path) as hashes:
        assert hashes.of(file) == sha256_of(file)


@pytest.mark.parametrize("content", [b"no database", b""])
def test_a_damaged_database_costs_a_reading_and_no_more(tmp_path: Path, file: Path, content: bytes) -> None:
    (tmp_path / "files.sqlite3").write_bytes(content)
    with FileHashes(tmp_path) as hashes:
        assert hashes.of(file) == sha256_of(file)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_without_the_right_to_write_every_file_is_read(tmp_path: Path, file: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with FileHashes(tmp_path / "locked") as hashes:
        assert hashes.of(file) == sha256_of(file)


def test_a_folder_counts_as_an_artifact_does(tmp_path: Path, file: Path) -> None:
    with FileHashes() as hashes:
        assert hashes.of_folder(tmp_path) == Artifact.of(tmp_path, tmp_path).sha256
