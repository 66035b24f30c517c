"""The pairs in the forms that trainers load: conversational JSONL for TRL, and `datasets`' own folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from json.encoder import encode_basestring
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec

from tradewind.dataset.split_proof import USES, Use
from tradewind.files import sha256_of

if TYPE_CHECKING:
    from datasets import Features
    from datasets.arrow_writer import ArrowWriter

FOLDER = "dataset"
_ROWS_AT_ONCE = 1000
METADATA = ("id", "context", "source", "file", "record_id", "fact_id", "language")


def pairs_of(prepare_dir: Path) -> Iterator[tuple[Use, dict[str, Any]]]:
    """Every pair with its use: those of `heldout.jsonl`, then those of `train.jsonl`."""
    for row in rows_of(prepare_dir / "heldout.jsonl"):
        yield row["kind"], row
    for row in rows_of(prepare_dir / "train.jsonl"):
        yield "train", row


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of one of `prepare`'s own files, three times as fast as `iter_jsonl`."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    with path.open("rb") as file:
        yield from map(decode, file)


def conversational_name(use: Use) -> str:
    """The conversational file of a use, such as `train.conversational.jsonl`."""
    return f"{use}.conversational.jsonl"


def conversation(row: Mapping[str, Any]) -> str:
    """TRL's conversational prompt/completion form of a pair, as a line of JSON."""
    question, answer = encode_basestring(row["question"]), encode_basestring(row["answer"])
    return (
        f'{{"prompt": [{{"role": "user", "content": {question}}}], '
        f'"completion": [{{"role": "assistant", "content": {answer}}}]}}\n'
    )


def write_dataset_files(prepare_dir: Path, out_dir: Path) -> list[str]:
    """Write a conversational file for each use that has pairs, and `dataset/`, a `DatasetDict` with every use.

    Reads the pairs of `prepare_dir` once, in flat memory; the same pairs give the same bytes.

    Returns:
        The names of what now stands in `out_dir`.
    """
    with TemporaryDirectory(dir=out_dir, prefix=".dataset-") as tables:
        files = {use: Path(tables) / f"{use}.arrow" for use in USES}
        written = _write(prepare_dir, out_dir, files)
        _save(files, out_dir / FOLDER)
    return [*written, FOLDER]


def _write(prepare_dir: Path, out_dir: Path, tables: Mapping[Use, Path]) -> list[str]:
    """Write the conversational files and the tables behind `dataset/`; returns the former's names."""
    with ExitStack() as stack:
        writers = {use: stack.enter_context(_table_writer(path)) for use, path in tables.items()}
        files = {}
        for use, rows in _batches(prepare_dir):
            if use not in files:
                files[use] = stack.enter_context((out_dir / conversational_name(use)).open("w", encoding="utf-8"))
            files[use].writelines(map(conversation, rows))
            writers[use].write_batch(_columns(rows))
        for writer in writers.values():
            writer.finalize()
    return [conversational_name(use) for use in USES if use in files]


def _batches(prepare_dir: Path) -> Iterator[tuple[Use, list[dict[str, Any]]]]:
    """All pairs, `_ROWS_AT_ONCE` of a use at a time."""
    waiting: dict[Use, list[dict[str, Any]]] = {use: [] for use in USES}
    for use, row in pairs_of(prepare_dir):
        waiting[use].append(row)
        if len(waiting[use]) == _ROWS_AT_ONCE:
            yield use, waiting[use]
            waiting[use] = []
    yield from ((use, rows) for use, rows in waiting.items() if rows)


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The rows as columns of Arrow's: made of Python's objects one by one, they would take three times as long."""
    turns = {"prompt": _turns("user", rows, "question"), "completion": _turns("assistant", rows, "answer")}
    return turns | {name: [row[name] for row in rows] for name in METADATA}


def _turns(role: str, rows: Sequence[Mapping[str, Any]], field: str) -> Any:
    """A conversation of one message for each row."""
    import pyarrow as pa

    content = pa.array([row[field] for row in rows], pa.string())
    messages = pa.StructArray.from_arrays([pa.repeat(role, len(rows)), content], ["role", "content"])
    return pa.ListArray.from_arrays(pa.array(range(len(rows) + 1), pa.int32()), messages)


def _save(tables: Mapping[Use, Path], folder: Path) -> None:
    """Lay the tables out as `DatasetDict.save_to_disk` does.

    That would copy each table through the memory map of another: twice the disk, and as many resident pages. So it
    saves empty splits, which then get their tables.
    """
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()  # for a terminal; a log gets plain lines
    empty = {}
    for use, table in tables.items():
        none = datasets.Dataset.from_dict({name: [] for name in _features()}, features=_features())
        # The fingerprint is the key of `datasets`' caches: drawn from the content, not at random.
        split, fingerprint = datasets.NamedSplit(use), sha256_of(table)[:16]
        empty[use] = datasets.Dataset(none.data, info=none.info, split=split, fingerprint=fingerprint)
    datasets.DatasetDict(empty).save_to_disk(folder, num_shards=dict.fromkeys(empty, 1))
    for use, table in tables.items():
        (place,) = (folder / use).glob("*.arrow")
        table.replace(place)


def _table_writer(path: Path) -> ArrowWriter:
    from datasets.arrow_writer import ArrowWriter

    return ArrowWriter(path=str(path), features=_features())


def _features() -> Features:
    from datasets import Features, Value

    text = Value("string")
    message = {"role": text, "content": text}
    return Features({"prompt": [message], "completion": [message]} | dict.fromkeys(METADATA, text))
