"""`exam_data/`: runs of multiple-choice questions, as scans and text extractors leave them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tradewind.config import DataConfig
from tradewind.sources.encoding import encoding_of_lines
from tradewind.sources.folder import files_of
from tradewind.sources.lines import lines, too_long
from tradewind.sources.options import Options, is_lone_label, options_in
from tradewind.sources.record import Item, Pair, Record, Rejected, SourceFile, is_broken, language_of, one_line
from tradewind.sources.tables.json_lines import broken_line
from tradewind.sources.whole import read_json

Paper = tuple[int, list[Record | Rejected]]
"""How many entries one object holds, and what became of them."""

_QUESTION = re.compile(r"(?:질문|Question)\s*:")
_ANSWER = re.compile(r"(?:정답|Answer)\s*:")
_GLUED_OPTION = re.compile(r"(?<=[^\d\s])([.?!])([1-9])\.(?=\D)\s*")


def read(data_dir: Path, config: DataConfig) -> Iterator[Item]:
    """The questions of every exam file, `{"fixed_text": "Question: ... Answer: ..."}`, a list or lines of these."""
    for path, name in files_of(data_dir, "exam_data"):
        entries = 0
        for count, items in _papers(path, name, config.max_line_bytes):
            entries += count
            yield from items
        if not entries:
            yield Rejected.of(name, "top level", "no questions", "")
        yield SourceFile(name, entries or 1)


def set_options_apart(text: str) -> str:
    """`carrier.2. Two days` becomes `carrier. 2. Two days`; decimals such as `1.2.` stay."""
    return _GLUED_OPTION.sub(r"\1 \2. ", text)


def _papers(path: Path, name: str, limit: int) -> Iterator[Paper]:
    if path.suffix.lower() == ".jsonl":
        yield from _lines(path, name, limit)
    elif path.stat().st_size > limit:
        yield 1, [Rejected.of(name, "top level", too_long("document", limit), "")]
    else:
        document = read_json(path)
        if not isinstance(document, list):
            yield _paper(document, name)
        else:
            for index, entry in enumerate(document):
                yield _paper(entry, name, ("entry", index))


def _lines(path: Path, name: str, limit: int) -> Iterator[Paper]:
    for line in lines(path, encoding_of_lines(path), limit):
        if line.fault:
            yield 1, [Rejected.of(name, f"line {line.number}", line.fault, line.text)]
        elif not line.text.isspace():
            try:
                document = json.loads(line.text)
            except (ValueError, RecursionError) as error:
                yield 1, [Rejected.of(name, f"line {line.number}", broken_line(error), line.text)]
            else:
                yield _paper(document, name, ("line", line.number))


def _paper(document: Any, name: str, at: tuple[str, int] | None = None) -> Paper:
    """The questions of one object; of one among others in its file, the place stands in ids and places."""
    place = f"{at[0]} {at[1]}" if at else "top level"
    key, within = (f"{name}#{at[1]}.", f"{place}, ") if at else (f"{name}#", "")
    text = document.get("fixed_text") if isinstance(document, dict) else None
    if not isinstance(text, str):
        return 1, [Rejected.of(name, place, 'no "fixed_text" with the questions as one text', document)]
    head, *blocks = _QUESTION.split(set_options_apart(text))
    items: list[Record | Rejected] = []
    if head.strip():
        items.append(Rejected.of(name, f"{within}before question 1", "text before the first question", head))
    elif not blocks:
        items.append(Rejected.of(name, f"{within}fixed_text", "no questions", text))
    for number, block in enumerate(blocks, 1):
        made = _question(block, name, f"{key}{number}")
        items.append(made if isinstance(made, Record) else Rejected.of(name, f"{within}question {number}", made, block))
    return len(blocks) + bool(head.strip() or not blocks), items


def _question(block: str, file: str, record_id: str) -> Record | str:
    """The record of one question, or why there is none."""
    parts = [one_line(part) for part in _ANSWER.split(block)]
    if len(parts) != 2 or not parts[1]:
        return "no answer" if len(parts) < 2 or not parts[-1] else "two answers"
    stem, answer, fault = _resolve(*parts)
    if is_broken(block):
        return "half of a character"
    if not stem:
        return "no question text"
    if fault:
        return fault
    pair = Pair(f"{record_id}/1", f"{record_id}/1", parts[0], answer, parts[0])
    text = f"{parts[0]} {answer}"
    return Record(record_id, "exam", file, language_of(text), text, (pair,), has_own_text=False)


def _resolve(question: str, given: str) -> tuple[str, str, str | None]:
    """The question without its options, the answer with its option's text, and what is wrong with it."""
    likely: Options | None = None
    for options in options_in(question):
        if (answer := options.named(given)) is not None:
            return options.stem, answer, None
        likely = likely or (options if options.certain else None)
    if likely is not None:
        return likely.stem, given, f"the answer '{given}' is none of the {len(likely.texts)} options"
    if question and is_lone_label(given):
        told = "write them 'A. text', 'A) text' or '(A) text', or with numbers, two or more in order"
        return question, given, f"the answer '{given}' names an option, and the question has none; {told}"
    return question, given, None
