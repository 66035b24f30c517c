"""Documents read, checked, converted into pairs and written: what `tradewind prepare` begins with, alone.

python benchmarks/convert.py /tmp/glossary /tmp/rows.jsonl
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import msgspec

from tradewind.dataset.catalogue import Row
from tradewind.recipes import resolve
from tradewind.sources import iter_documents
from tradewind.sources.record import Record

_AT_ONCE = 512


def main() -> None:
    """Write a line for each pair; print how many there are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    encode = msgspec.json.Encoder().encode_lines
    records = (
        item for item in iter_documents(arguments.folder, resolve("tiny", arguments.folder).data)
        if isinstance(item, Record)
    )  # fmt: skip
    pairs = 0
    with arguments.out.open("wb", buffering=0) as file:
        while batch := list(islice(records, _AT_ONCE)):
            rows = [
                Row(pair.pair_id, record.text, pair.question, pair.answer, record.source, record.file,
                    record.record_id, pair.fact_id, record.language)
                for record in batch for pair in record.pairs
            ]  # fmt: skip
            file.write(encode(rows))
            pairs += len(rows)
    print(pairs)


if __name__ == "__main__":
    main()
