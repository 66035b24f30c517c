"""Raw documents in the formats that domain teams have, read into records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tradewind.config import DataConfig
from tradewind.errors import UserError
from tradewind.sources import exam, folder, glossary, hub, qa, transcript
from tradewind.sources.record import Documents, Item


def iter_documents(data_dir: Path, config: DataConfig) -> Iterator[Item]:
    """What stands below `data_dir` and in the datasets of the recipe, in a stable order, one by one.

    Raises:
        UserError: the folder is missing, or a file in it cannot be read at all: it is not JSON, not
            Parquet, or in no known encoding. The line names the file, the place and what to do.
    """
    if not data_dir.is_dir():
        raise UserError(f"{data_dir}: no such folder; name the folder of your documents with --data")
    for read in (exam.read, glossary.read, qa.read, transcript.read, hub.read):
        yield from read(data_dir, config)
    yield from folder.unknown_files(data_dir)


def read_documents(data_dir: Path, config: DataConfig) -> Documents:
    """Every record that `iter_documents` yields, with what could not be converted.

    Raises:
        UserError: as `iter_documents`; or there is nothing, or nothing that yields a pair.
    """
    found = Documents.collect(iter_documents(data_dir, config))
    if not found.files:
        wanted = "exam_data/*.json, term_data/*.json, qa_data/*.csv or transcript_data/*.txt"
        raise UserError(f"{data_dir}: holds no documents; put some into {wanted}")
    if not any(record.pairs for record in found.records):
        if found.rejected:
            first = found.rejected[0]
            why = f"the first of {len(found.rejected)} rejected: {first.file}: {first.place}: {first.reason}"
        else:
            why = "transcripts need pairs in transcript_data/success/*.jsonl"
        raise UserError(f"{data_dir}: no document yields a question/answer pair; {why}")
    return found
