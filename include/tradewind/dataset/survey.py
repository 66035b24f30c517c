"""What a run over some documents would be given, in a few lines; nothing heavy is imported, nothing left behind."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import msgspec

from tradewind.config import ExtractConfig, RunConfig
from tradewind.dataset.catalogue import Catalogue
from tradewind.errors import UserError
from tradewind.extraction.documents import have_pairs
from tradewind.extraction.passages import check_groups, chunks
from tradewind.sources import iter_documents
from tradewind.sources.location import locate_documents
from tradewind.sources.record import LeftOut, Passage, Record, Rejected, SourceFile
from tradewind.stages.prepare import left_out, near_duplicates, prepare

_FILES = 10
"""How many files are listed."""


def survey(config: RunConfig) -> str:
    """The counts of what `prepare` makes, or, where pairs are yet to be drawn, of what there is to draw from.

    Below them stand the files that something is rejected of.

    Raises:
        UserError: as `prepare` does; or nothing is there to draw pairs from.
    """
    if config.extract is not None:
        return _before_extraction(config, config.extract)
    with tempfile.TemporaryDirectory(prefix="tradewind-") as folder:
        prepared = prepare(config, Path(folder))
        counts = prepared.counts()
        left = left_out(counts["left_out"], counts["passages_left_out"])
        rejections = _by_file(_rejections(prepared.catalogue))
        prepared.catalogue.close()
    heldout = ", ".join(f"{kind} {count}" for kind, count in counts["heldout"].items())
    return (
        f"{counts['files']} files, {sum(counts['records'].values())} records; "
        f"{counts['train']} pairs to train on; held out: {heldout}; {f'{left}; ' if left else ''}"
        f"{counts['rejected']} rejected{rejections}"
    )


def _before_extraction(config: RunConfig, extract: ExtractConfig) -> str:
    data_dir = locate_documents(config.data_dir)
    done = have_pairs(data_dir)
    items: Counter[type] = Counter()
    passages: list[Passage] = []
    rejected: list[Rejected] = []
    left = [0, 0]
    for item in iter_documents(data_dir, config.data):
        items[type(item)] += 1
        if isinstance(item, Rejected):
            rejected.append(item)
        elif isinstance(item, LeftOut):
            left = [left[0] + item.entries, left[1] + item.passages]
        elif isinstance(item, Passage) and item.file not in done:
            passages.append(item)
    if not passages and not items[Record]:
        raise UserError(f"{data_dir}: nothing to draw pairs from; put running text into transcript_data/")
    cut = list(chunks(passages, extract, _about_tokens))
    check_groups(cut, config, data_dir)
    most = len(cut) * extract.max_pairs * extract.wordings
    return (
        f"{items[SourceFile]} files, {items[Record]} records; pairs are to be drawn from "
        f"{len({passage.file for passage in passages})} texts: about {most} at most (about {len(cut)} passages x "
        f"{extract.max_pairs} facts x {extract.wordings} wordings); whether they do for the split is known "
        f"after extraction; {f'{told}; ' if (told := left_out(*left)) else ''}"
        f"{len(rejected)} rejected{_by_file(rejected)}"
    )


def _about_tokens(text: str) -> int:
    """Roughly what any tokenizer counts: loading the model's own takes seconds, and perhaps a download."""
    ascii_chars = len(text.encode("ascii", "ignore"))
    return ascii_chars // 4 + (len(text) - ascii_chars) // 2 + 1


class _Rejection(msgspec.Struct):
    """Of a `Rejected`, what is told."""

    file: str
    place: str
    reason: str


def _rejections(found: Catalogue) -> Iterable[_Rejection]:
    return map(msgspec.json.Decoder(_Rejection).decode, chain(found.rejected, near_duplicates(found)))


def _by_file(rejections: Iterable[Rejected | _Rejection]) -> str:
    """A line for each file that something is rejected of, with their number and the first."""
    counts: Counter[str] = Counter()
    first: dict[str, Rejected | _Rejection] = {}
    for rejection in rejections:
        counts[rejection.file] += 1
        first.setdefault(rejection.file, rejection)
    if not first:
        return ""
    told = [f"{name}: {counts[name]}, the first: {item.place}: {item.reason}" for name, item in first.items()]
    more = len(told) - _FILES
    left = [f"and {more} more {'file' if more == 1 else 'files'}"] if more > 0 else []
    return "\n  ".join([":", *told[:_FILES], *left])
