"""Raw documents in the formats that domain teams have, read into records."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from tradewind.config import DataConfig
from tradewind.errors import UserError
from tradewind.sources import exam, glossary, transcript
from tradewind.sources.record import Documents, Item

FOLDERS = ("exam_data", "term_data", "transcript_data")


def iter_documents(data_dir: Path, config: DataConfig) -> Iterator[Item]:
    """All that stands below `data_dir`, in a stable order, with what could not be converted.

    Raises:
        UserError: the folder is missing, or a file is not JSON or not UTF-8.
    """
    if not data_dir.is_dir():
        raise UserError(f"{data_dir}: no such folder; name the folder of your documents with --data")
    yield from chain(exam.read(data_dir), glossary.read(data_dir, config.templates), transcript.read(data_dir))


def read_documents(data_dir: Path, config: DataConfig) -> Documents:
    """Every record below `data_dir`, in a stable order, with what could not be converted.

    Raises:
        UserError: the folder is missing or empty, a file is not JSON or not UTF-8, or nothing
            in it yields a pair. The line names the file, the place and what to do.
    """
    found = Documents.collect(iter_documents(data_dir, config))
    if not found.files:
        wanted = "exam_data/*.json, term_data/*.json or transcript_data/*.txt"
        raise UserError(f"{data_dir}: holds no documents; put some into {wanted}")
    if not any(record.pairs for record in found.records):
        if found.rejected:
            first = found.rejected[0]
            why = f"the first of {len(found.rejected)} rejected: {first.file}: {first.place}: {first.reason}"
        else:
            why = "transcripts need pairs in transcript_data/success/*.jsonl"
        raise UserError(f"{data_dir}: no document yields a question/answer pair; {why}")
    return found
