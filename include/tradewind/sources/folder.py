"""The folders of the documents, and which formats are read in each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tradewind.sources.record import Item, Rejected, SourceFile

_TABLES = (".json", ".jsonl", ".csv", ".tsv", ".parquet")
PAIRS = "transcript_data/success"
FORMATS = {
    "exam_data": (".json", ".jsonl"),
    "term_data": _TABLES,
    "qa_data": _TABLES,
    "transcript_data": (".txt", ".md", ".pdf", ".docx"),
    PAIRS: (".jsonl",),
}


def files_of(data_dir: Path, folder: str) -> Iterator[tuple[Path, str]]:
    """The files of a folder in a format that is read there, in name order, with their names in the data folder."""
    for path, name in _files(data_dir, folder):
        if path.suffix.lower() in FORMATS[folder]:
            yield path, name


def unknown_files(data_dir: Path) -> Iterator[Item]:
    """A rejection for every file of the folders that is in no such format; hidden files are nobody's documents."""
    for folder, known in FORMATS.items():
        for path, name in _files(data_dir, folder):
            if path.suffix.lower() not in known:
                told = ", ".join(known)
                yield Rejected.of(name, "file", f"format '{path.suffix}' not known; known in {folder} are {told}", "")
                yield SourceFile(name, entries=1)


def _files(data_dir: Path, folder: str) -> Iterator[tuple[Path, str]]:
    for path in sorted((data_dir / folder).glob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield path, path.relative_to(data_dir).as_posix()
