"""What the parts of prepare that cannot be left out cost, each alone, by the fastest way that was found in Python.

    python benchmarks/floor.py /tmp/glossary

Prints µs of the processor a record: the best of some runs with each batch, which the processor's cache then holds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import msgspec

from tradewind.dataset.catalogue import Row
from tradewind.dataset.near_duplicates import min_hashes
from tradewind.recipes import resolve
from tradewind.sources import iter_documents
from tradewind.sources.record import Record
from tradewind.texts import Texts

_FILES = 2
_RUNS = 5
_AT_ONCE = 512
_SLOTS = 55


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tradewind-benchmark-") as name:
        work = Path(name)
        (work / "term_data").mkdir()
        for path in sorted((arguments.folder / "term_data").glob("*.json"))[:_FILES]:
            (work / "term_data" / path.name).symlink_to(path.resolve())
        floor(work)


def floor(folder: Path) -> None:
    """Print a line for each part."""
    documents = [path.read_bytes() for path in sorted((folder / "term_data").iterdir())]
    items = iter_documents(folder, resolve("tiny", folder).data)
    records = [item for item in items if isinstance(item, Record)]
    batches = [records[at : at + _AT_ONCE] for at in range(0, len(records), _AT_ONCE)]
    stems = [[pair.stem for record in batch for pair in record.pairs] for batch in batches]
    questions = [[pair.question for record in batch for pair in record.pairs] for batch in batches]
    texts = [[record.text for record in batch] for batch in batches]
    folded = [Texts.of(batch) for batch in stems]
    rows = [_rows(batch) for batch in batches]
    encode = msgspec.json.Encoder().encode_lines
    decode = msgspec.json.Decoder(list[dict[str, str] | list[dict[str, str]]]).decode
    with (folder / "rows.jsonl").open("wb", buffering=0) as file:
        parts: dict[str, tuple[Callable[[Any], object], list[Any]]] = {
            "files decoded by msgspec": (decode, documents),
            "rows made as objects of texts that are there": (_rows, batches),
            "questions, stems and texts folded": (Texts.of, [*stems, *questions, *texts]),
            # Of a copy, as 5-grams are kept.
            f"MinHash of {_SLOTS} slots": (lambda part: min_hashes(copy(part), _SLOTS), folded),
            "rows encoded by msgspec": (encode, rows),
            "rows written once": (file.write, [encode(batch) for batch in rows]),
        }
        total = 0.0
        for name, (function, given) in parts.items():
            micros = sum(min(_seconds(function, part) for _ in range(_RUNS)) for part in given) / len(records) * 1e6
            total += micros
            print(f"{name:45}{micros:8.2f}")
    print(f"{'together':45}{total:8.2f}")


def _rows(batch: list[Record]) -> list[Row]:
    return [
        Row(
            pair.pair_id, record.text, pair.question, pair.answer, record.source, record.file,
            record.record_id, pair.fact_id, record.language,
        )
        for record in batch
        for pair in record.pairs
    ]  # fmt: skip


def _seconds(function: Callable[[Any], object], part: Any) -> float:
    started = time.process_time()
    function(part)
    return time.process_time() - started


if __name__ == "__main__":
    main()
