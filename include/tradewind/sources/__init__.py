"""Raw documents in the formats that domain teams have, read into records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tradewind.config import DataConfig
from tradewind.errors import UserError
from tradewind.sources.limit import limited
from tradewind.sources.location import check_folder
from tradewind.sources.record import Item, Record, Rejected, SourceFile


def iter_documents(data_dir: Path, config: DataConfig) -> Iterator[Item]:
    """What stands below `data_dir` and in the datasets of the recipe, in a stable order, one by one.

    Raises:
        UserError: the folder is missing, or a file in it cannot be read at all: it is not JSON, not
            Parquet, or in no known encoding. The line names the file, the place and what to do.
    """
    # Here, as whoever asks where documents are (a DAG's parsing, too) needs no reader.
    from tradewind.sources import exam, folder, glossary, hub, qa, transcript

    check_folder(data_dir)
    for read in (exam.read, glossary.read, qa.read, transcript.read):
        yield from limited(read(data_dir, config), config.max_records)
    yield from hub.read(data_dir, config)
    yield from folder.unknown_files(data_dir, config)


def with_pairs(items: Iterable[Item], data_dir: Path) -> Iterator[Item]:
    """The same items; UserError at their end where there was nothing, or nothing that yields a pair."""
    files = pairs = rejected = 0
    first: Rejected | None = None
    for item in items:
        if isinstance(item, Record):
            pairs += len(item.pairs)
        elif isinstance(item, Rejected):
            rejected += 1
            first = first or item
        elif isinstance(item, SourceFile):
            files += 1
        yield item
    if not files:
        wanted = "exam_data/*.json, term_data/*.json, qa_data/*.csv or transcript_data/*.txt"
        raise UserError(f"{data_dir}: holds no documents; put some into {wanted}")
    if not pairs:
        if first:
            why = f"the first of {rejected} rejected: {first.file}: {first.place}: {first.reason}"
        else:
            why = "transcripts need pairs in transcript_data/success/*.jsonl, or a block extract in the recipe"
        raise UserError(f"{data_dir}: no document yields a question/answer pair; {why}")
