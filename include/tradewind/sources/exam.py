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
from tradewind.sources.record import Item, Pair, Record, Rejected, SourceFile, is_broken, language_of, one_line
from tradewind.sources.tables.json_lines import broken_line
from tradewind.sources.whole import read_json

Paper = tuple[int, list[Record | Rejected]]
"""How many entries one object holds, and what became of them."""

_QUESTION = re.compile(r"(?:질문|Question)\s*:")
_ANSWER = re.compile(r"(?:정답|Answer)\s*:")
_OPTION = re.compile(r"(?:^|\s)([1-9])\.\s*(?=[^\d\s])|(?:^|\s)([1-9])\.\s+")
_GLUED_OPTION = re.compile(r"(?<=[^\d\s])([.?!])([1-9])\.(?=\D)\s*")


def read(data_dir: Path, config: DataConfig) -> Iterator[Item]:
    """The questions of every exam file, `{"fixed_text": "Question: ... Answer: ..."}`, or one of these a line."""
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
        yield _paper(read_json(path), name)


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
                yield _paper(document, name, line.number)


def _paper(document: Any, name: str, line: int | None = None) -> Paper:
    """The questions of one object; on a line, its number stands in ids and places."""
    key, within = (f"{name}#{line}.", f"line {line}, ") if line else (f"{name}#", "")
    text = document.get("fixed_text") if isinstance(document, dict) else None
    if not isinstance(text, str):
        reason = 'no "fixed_text" with the questions as one text'
        return 1, [Rejected.of(name, f"line {line}" if line else "top level", reason, document)]
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
    question, options = options_of(parts[0])
    answer = _resolve(parts[1], options)
    if is_broken(block):
        return "half of a character"
    if not question:
        return "no question text"
    if answer is None:
        return f"the answer '{parts[1]}' is none of the {len(options)} options"
    pair = Pair(f"{record_id}/1", f"{record_id}/1", parts[0], answer, parts[0])
    text = f"{parts[0]} {answer}"
    return Record(record_id, "exam", file, language_of(text), text, (pair,), has_own_text=False)


def options_of(text: str) -> tuple[str, list[str]]:
    """The question and its options, which are numbered 1, 2, 3 ... in order."""
    starts: list[re.Match[str]] = []
    for match in _OPTION.finditer(text):
        if int(match[1] or match[2]) == len(starts) + 1:
            starts.append(match)
    if len(starts) < 2:
        return text, []
    ends = [match.start() for match in starts[1:]] + [len(text)]
    options = [text[match.end() : end].strip() for match, end in zip(starts, ends, strict=True)]
    return text[: starts[0].start()].strip(), options


def _resolve(answer: str, options: list[str]) -> str | None:
    """`3`, `3.`, `3. text` or the option's text, as `3. text`; None where that is no option."""
    if not options:
        return answer
    numbered = re.fullmatch(r"([1-9])\s*[.)번]?\s*(.*)", answer)
    if numbered and int(numbered[1]) <= len(options):
        option = options[int(numbered[1]) - 1]
        if not numbered[2] or _same(numbered[2], option):
            return f"{numbered[1]}. {option}"
    for number, option in enumerate(options, 1):
        if _same(answer, option):
            return f"{number}. {option}"
    return None


def _same(one: str, other: str) -> bool:
    return one.rstrip(".").casefold() == other.rstrip(".").casefold()
