"""The folders of the documents, and which formats are read in each."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from tradewind.config import DataConfig
from tradewind.files import path_of
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
_NEAR = 0.8
"""How much a folder's name must be like a known one's to be meant for it: `terms_data` is, `test_data` is not."""


def files_of(data_dir: Path, folder: str) -> Iterator[tuple[Path, str]]:
    """The files of a folder in a format that is read there, in name order, with their names in the data folder."""
    for path, name in _files(data_dir, folder):
        if path.suffix.lower() in FORMATS[folder]:
            yield path, name


def unknown_files(data_dir: Path, config: DataConfig) -> Iterator[Item]:
    """A rejection for every file that somebody may have meant to be read and nobody reads.

    Those are in no known format, in a folder within a known one, or in one whose name is nearly a known one's.
    Hidden files, and folders that the recipe names as datasets, are not looked at.
    """
    for folder, known in FORMATS.items():
        for path, name in _files(data_dir, folder):
            if path.suffix.lower() not in known:
                told = ", ".join(known)
                yield Rejected.of(name, "file", f"format '{path.suffix}' not known; known in {folder} are {told}", "")
                yield SourceFile(name, entries=1)
    datasets = {(data_dir / path_of(dataset.path)).resolve() for dataset in config.datasets}
    for folder, advice in _unread(data_dir):
        for path in sorted((data_dir / folder).rglob("*")):
            name = path.relative_to(data_dir).as_posix()
            if path.is_file() and not _is_hidden(name) and datasets.isdisjoint(path.resolve().parents):
                yield Rejected.of(name, "file", f"the folder '{folder}' is not read; {advice}", "")
                yield SourceFile(name, entries=1)


def _unread(data_dir: Path) -> Iterator[tuple[str, str]]:
    """The folders that are likely meant for known ones, and what to do with the files in them."""
    for above in ("", *FORMATS):
        known = [name for name in FORMATS if name.rpartition("/")[0] == above]
        for path in sorted((data_dir / above).glob("*/")):
            name = path.relative_to(data_dir).as_posix()
            if name in FORMATS or _is_hidden(name):
                continue
            if near := difflib.get_close_matches(name.casefold(), known, n=1, cutoff=_NEAR):
                yield name, f"did you mean '{near[0]}'?"
            elif above:
                yield name, f"put the file into '{above}'"


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or "/." in name


def _files(data_dir: Path, folder: str) -> Iterator[tuple[Path, str]]:
    for path in sorted((data_dir / folder).glob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield path, path.relative_to(data_dir).as_posix()
