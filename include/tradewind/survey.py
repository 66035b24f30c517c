"""What a run over some documents would be given, in one line; nothing heavy is imported, nothing left behind."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.extraction.documents import extracted
from tradewind.sources import iter_documents
from tradewind.sources.location import locate_documents
from tradewind.sources.record import Passage, Record, Rejected, SourceFile
from tradewind.stages.prepare import prepare


def survey(config: RunConfig) -> str:
    """The counts of what `prepare` makes, or, where pairs are yet to be drawn, of what there is to draw from.

    Raises:
        UserError: as `prepare` does; or nothing is there to draw pairs from.
    """
    if config.extract is not None:
        return _before_extraction(config)
    with tempfile.TemporaryDirectory(prefix="tradewind-") as folder:
        prepared = prepare(config, Path(folder))
        prepared.catalogue.close()
        counts = prepared.counts()
    heldout = ", ".join(f"{kind} {count}" for kind, count in counts["heldout"].items())
    return (
        f"{counts['files']} files, {sum(counts['records'].values())} records; "
        f"{counts['train']} pairs to train on; held out: {heldout}; {counts['rejected']} rejected"
    )


def _before_extraction(config: RunConfig) -> str:
    data_dir = locate_documents(config.data_dir)
    done = extracted(data_dir)
    items: Counter[type] = Counter()
    paragraphs = 0
    for item in iter_documents(data_dir, config.data):
        items[type(item)] += 1
        paragraphs += isinstance(item, Passage) and item.file not in done
    if not paragraphs and not items[Record]:
        raise UserError(f"{data_dir}: nothing to draw pairs from; put running text into transcript_data/")
    return (
        f"{items[SourceFile]} files, {items[Record]} records, {items[Rejected]} rejected; "
        f"pairs are to be drawn from {paragraphs} paragraphs of running text"
    )
