"""A file is read once as long as it stays as it is, and again when it may have changed."""

from __future__ import annotations

import os
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


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch, file: Path) -> Path:
    """The file, as if it had not changed for long: its ctime cannot be set."""
    monkeypatch.setattr(module, "_FRESH", -(10**9))
    return file


def test_an_old_file_is_read_once_in_all_runs(tmp_path: Path, old: Path, reads: list[Path]) -> None:
    for _ in range(3):
        with FileHashes(tmp_path) as hashes:
            assert hashes.of(old) == hashes.of(old) == sha256_of(old)
    assert reads == [old]


@pytest.mark.parametrize("text", ["other", "longer than before"])
def test_a_file_that_changed_is_read_again(tmp_path: Path, old: Path, text: str) -> None:
    with FileHashes(tmp_path) as hashes:
        before = hashes.of(old)
        old.write_text(text)
        os.utime(old, ns=(1, 1))
        assert before != hashes.of(old) == sha256_of(old)
    with FileHashes(tmp_path) as hashes:
        assert hashes.of(old) == sha256_of(old)


def test_a_file_that_was_just_written_is_read_each_time(tmp_path: Path, file: Path, reads: list[Path]) -> None:
    for _ in range(2):
        with FileHashes(tmp_path) as hashes:
            hashes.of(file)
    assert reads == [file, file]


def test_a_file_that_was_replaced_with_its_old_time_is_read_again(tmp_path: Path, old: Path) -> None:
    """As `rsync -a` or `mv` of another copy do."""
    with FileHashes(tmp_path) as hashes:
        hashes.of(old)
    other = tmp_path / "other"
    other.write_text("other")
    os.utime(other, ns=(old.stat().st_atime_ns, old.stat().st_mtime_ns))
    other.replace(old)
    with FileHashes(tmp_path) as hashes:
        assert hashes.of(old) == sha256_of(old)


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
