"""`exam_data/*.json`: one run of multiple-choice questions, as scans and text extractors leave it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tradewind.sources.record import (
    Item,
    Pair,
    Record,
    Rejected,
    SourceFile,
    files_below,
    is_broken,
    language_of,
    one_line,
    read_json,
)

_QUESTION = re.compile(r"(?:질문|Question)\s*:")
_ANSWER = re.compile(r"(?:정답|Answer)\s*:")
_OPTION = re.compile(r"(?:^|\s)([1-9])\.\s*(?=[^\d\s])|(?:^|\s)([1-9])\.\s+")
_GLUED_OPTION = re.compile(r"(?<=[^\d\s])\.([1-9])\.(?=\D)\s*")


def read(data_dir: Path) -> Iterator[Item]:
    """The questions of every exam file, `{"fixed_text": "Question: ... Answer: ..."}`."""
    for path, name in files_below(data_dir, "exam_data/*.json"):
        document = read_json(path)
        text = document.get("fixed_text") if isinstance(document, dict) else None
        if not isinstance(text, str):
            yield Rejected.of(name, "top level", 'no "fixed_text" with the questions as one text', document)
            yield SourceFile(name, entries=1)
            continue
        head, *blocks = _QUESTION.split(set_options_apart(text))
        if head.strip():
            yield Rejected.of(name, "before question 1", "text before the first question", head)
        elif not blocks:
            yield Rejected.of(name, "fixed_text", "no questions", text)
        for number, block in enumerate(blocks, 1):
            yield _question(block, name, number)
        yield SourceFile(name, entries=len(blocks) + bool(head.strip() or not blocks))


def set_options_apart(text: str) -> str:
    """`carrier.2. Two days` becomes `carrier. 2. Two days`; decimals such as `1.2.` stay."""
    return _GLUED_OPTION.sub(r". \1. ", text)


def _question(block: str, file: str, number: int) -> Record | Rejected:
    place = f"question {number}"
    parts = [one_line(part) for part in _ANSWER.split(block)]
    if len(parts) != 2 or not parts[1]:
        return Rejected.of(file, place, "no answer" if len(parts) < 2 or not parts[-1] else "two answers", block)
    question, options = _options(parts[0])
    answer = _resolve(parts[1], options)
    if is_broken(block):
        return Rejected.of(file, place, "half of a character", block)
    if not question:
        return Rejected.of(file, place, "no question text", block)
    if answer is None:
        return Rejected.of(file, place, f"the answer '{parts[1]}' is none of the {len(options)} options", block)
    record_id = f"{file}#{number}"
    pair = Pair(f"{record_id}/1", f"{record_id}/1", parts[0], answer, parts[0])
    text = f"{parts[0]} {answer}"
    return Record(record_id, "exam", file, language_of(text), text, (pair,))


def _options(text: str) -> tuple[str, list[str]]:
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
