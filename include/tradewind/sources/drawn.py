"""What the stage `extract` published: pairs drawn from running text, and what it left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tradewind.files import iter_jsonl
from tradewind.sources.record import Item, Pair, Record, Rejected, SourceFile


def read(files: Sequence[Path]) -> Iterator[Item]:
    """The records of every `pairs.jsonl` and the rejections of every `rejected.jsonl` among `files`."""
    for path in files:
        for row in iter_jsonl(path):
            if path.name == "rejected.jsonl":
                yield Rejected(**row)
                yield SourceFile(row["file"], entries=1)
            elif row["pairs"]:
                yield _record(row)
                yield SourceFile(row["file"], entries=len(row["pairs"]))


def _record(row: dict[str, Any]) -> Record:
    record_id = f"{row['file']}#{row['passage']}"
    pairs = tuple(
        Pair(f"{record_id}/{number}", f"{record_id}/{pair['fact']}", pair["question"], pair["answer"], pair["question"])
        for number, pair in enumerate(row["pairs"], 1)
    )
    return Record(record_id, "transcript", row["file"], row["language"], row["context"], pairs, entries=len(pairs))
