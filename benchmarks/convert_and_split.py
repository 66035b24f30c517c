"""What `tradewind prepare` does before it draws up the data set's card: convert, de-duplicate, split, write.

python benchmarks/convert_and_split.py /tmp/glossary /tmp/out
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tradewind.recipes import resolve
from tradewind.stages.prepare import prepare, write


def main() -> None:
    """Read the folder, write the four files, print the number of pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    work = arguments.out / "reading"
    work.mkdir(parents=True)
    prepared = prepare(resolve("tiny", arguments.folder), work)
    write(prepared, arguments.out)
    prepared.catalogue.close()
    print(prepared.counts()["pairs_made"])


if __name__ == "__main__":
    main()
