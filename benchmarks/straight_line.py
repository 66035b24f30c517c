"""A glossary converted the straight way: what `compare.py` measures prepare against.

    python benchmarks/straight_line.py FOLDER OUT.json          json.dump(rows, ..., indent=4), as such projects write
    python benchmarks/straight_line.py --lines FOLDER OUT.jsonl  json.dumps a line: the stronger baseline

A re-construction from the article's description of the original project, whose code is not published: load each
file whole, loop over its (nested) lists, make two questions of each term with f-strings, append dictionaries to one
list, dump the list. It leaves out all that prepare does besides: white space and Unicode are not normalised, nothing
is checked or counted as rejected, no duplicate is found, nothing is split, there are no ids and no corpus, and
everything stands in memory.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def main() -> None:
    """Convert the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lines", action="store_true")
    arguments = parser.parse_args()
    rows = convert(arguments.folder)
    with arguments.out.open("w", encoding="utf-8") as file:
        if arguments.lines:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        else:
            json.dump(rows, file, ensure_ascii=False, indent=4)


def convert(folder: Path) -> list[dict[str, Any]]:
    """Every term as two rows."""
    rows: list[dict[str, Any]] = []
    for path in sorted((folder / "term_data").glob("*.json")):
        with path.open(encoding="utf-8") as file:
            document = json.load(file)
        for entry in document:
            if isinstance(entry, list):
                for inner in entry:
                    add(rows, inner, path.name)
            else:
                add(rows, entry, path.name)
    return rows


def add(rows: list[dict[str, Any]], entry: dict[str, str], name: str) -> None:
    """Append the two questions of a term."""
    description = entry["description"]
    if "kor_term" in entry:
        term, eng_term = entry["kor_term"], entry["eng_term"]
        context = f"{term}({eng_term}): {description}"
        which = f"설명: '{description}' 이 설명에 해당하는 무역 용어는 무엇인가요?"
        what = f"'{term}({eng_term})' 이라는 무역 용어는 어떤 의미인가요?"
    else:
        term = entry["term"]
        context = f"{term}: {description}"
        which = f"Description: '{description}' Which trade term does this description define?"
        what = f"What does the trade term '{term}' mean?"
    rows.append({"context": context, "question": which, "answer": term, "source": "term", "file": name})
    rows.append({"context": context, "question": what, "answer": description, "source": "term", "file": name})


if __name__ == "__main__":
    main()
