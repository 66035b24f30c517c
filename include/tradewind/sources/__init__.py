"""Raw documents in the formats that domain teams have, read into records."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from tradewind.config import DataConfig
from tradewind.errors import UserError
from tradewind.sources import exam, glossary, transcript
from tradewind.sources.record import Documents, Item, Record, Rejected, SourceFile

FOLDERS = ("exam_data", "term_data", "transcript_data")


def iter_documents(data_dir: Path, config: DataConfig) -> Iterator[Item]:
    """All that stands below `data_dir`, in a stable order, with what could not be converted.

    Raises:
        UserError: the folder is missing or empty, a file is not JSON or not UTF-8, or nothing
            in it yields a pair (told at the end). The line names the file, the place and what to do.
    """
    if not data_dir.is_dir():
        raise UserError(f"{data_dir}: no such folder; name the folder of your documents with --data")
    files = pairs = rejected = 0
    first: Rejected | None = None
    for item in chain(exam.read(data_dir), glossary.read(data_dir, config.templates), transcript.read(data_dir)):
        if isinstance(item, Record):
            pairs += len(item.pairs)
        elif isinstance(item, Rejected):
            rejected += 1
            first = first or item
        elif isinstance(item, SourceFile):
            files += 1
        yield item
    if not files:
        wanted = "exam_data/*.json, term_data/*.json or transcript_data/*.txt"
        raise UserError(f"{data_dir}: holds no documents; put some into {wanted}")
    if not pairs:
        if first:
            why = f"the first of {rejected} rejected: {first.file}: {first.place}: {first.reason}"
        else:
            why = "transcripts need pairs in transcript_data/success/*.jsonl"
        raise UserError(f"{data_dir}: no document yields a question/answer pair; {why}")


def read_documents(data_dir: Path, config: DataConfig) -> Documents:
    """All that `iter_documents` yields, at once."""
    return Documents.collect(iter_documents(data_dir, config))
