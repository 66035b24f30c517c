"""The pairs in the forms that trainers load: conversational JSONL for TRL, and `datasets`' own folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tradewind.dataset.split_proof import USES, Use
from tradewind.files import iter_jsonl, sha256_of

if TYPE_CHECKING:
    from datasets import Features
    from datasets.arrow_writer import ArrowWriter

FOLDER = "dataset"
METADATA = ("id", "context", "source", "file", "record_id", "fact_id", "language")


def pairs_of(prepare_dir: Path) -> Iterator[tuple[Use, dict[str, Any]]]:
    """Every pair with its use: those of `heldout.jsonl`, then those of `train.jsonl`."""
    for row in iter_jsonl(prepare_dir / "heldout.jsonl"):
        yield row["kind"], row
    for row in iter_jsonl(prepare_dir / "train.jsonl"):
        yield "train", row


def conversational_name(use: Use) -> str:
    """The conversational file of a use, such as `train.conversational.jsonl`."""
    return f"{use}.conversational.jsonl"


def conversation(row: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """TRL's conversational prompt/completion form of a pair."""
    return {
        "prompt": [{"role": "user", "content": row["question"]}],
        "completion": [{"role": "assistant", "content": row["answer"]}],
    }


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
        for use, row in pairs_of(prepare_dir):
            if use not in files:
                files[use] = stack.enter_context((out_dir / conversational_name(use)).open("w", encoding="utf-8"))
            turns = conversation(row)
            files[use].write(json.dumps(turns, ensure_ascii=False) + "\n")
            writers[use].write(turns | {name: row[name] for name in METADATA})
        for writer in writers.values():
            writer.finalize()
    return [conversational_name(use) for use in USES if use in files]


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
