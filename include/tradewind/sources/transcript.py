"""`transcript_data/`: lectures, and the pairs drawn from them in `success/*.jsonl`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tradewind.config import DataConfig
from tradewind.sources.encoding import encoding_of_lines
from tradewind.sources.folder import PAIRS, files_of
from tradewind.sources.lines import Line, lines
from tradewind.sources.prose import passages
from tradewind.sources.record import Item, Pair, Passage, Record, Rejected, SourceFile, is_broken, language_of, one_line
from tradewind.sources.tables.json_lines import broken_line
from tradewind.sources.tables.row import answer_of, text_of

_CODE_FENCE = re.compile(r"^```(?:json)?\s*|\s*```$")


def read(data_dir: Path, config: DataConfig) -> Iterator[Item]:
    """The passages of every lecture, and the pairs of every passage that has some."""
    for path, name in files_of(data_dir, "transcript_data"):
        # A text has no entries that could be counted beforehand; what is rejected of it is told, each as one.
        found = rejected = 0
        for item in passages(path, name, config.max_line_bytes):
            found += isinstance(item, Passage)
            rejected += isinstance(item, Rejected)
            yield item
        if not found and not rejected:
            yield Rejected.of(name, "file", "no text", "")
            rejected = 1
        yield SourceFile(name, entries=rejected)
    for path, name in files_of(data_dir, PAIRS):
        entries = 0
        for line in lines(path, encoding_of_lines(path), config.max_line_bytes):
            if line.fault or not line.text.isspace():
                count, items = _line(line, name)
                entries += count
                yield from items
        yield SourceFile(name, entries)


def _line(line: Line, file: str) -> tuple[int, list[Record | Rejected]]:
    """How many candidates for pairs a line holds (at least one), and what became of them."""
    place = f"line {line.number}"
    if line.fault:
        return 1, [Rejected.of(file, place, line.fault, line.text)]
    try:
        context, candidates = _parse(line.text)
    except (KeyError, TypeError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        return 1, [Rejected.of(file, place, f"not {{context, json_output: {{qa_pairs}}}}: {reason}", line.text)]
    except (ValueError, RecursionError) as error:
        return 1, [Rejected.of(file, place, broken_line(error), line.text)]
    if not candidates:
        return 1, [Rejected.of(file, place, "no pairs in qa_pairs", line.text)]
    record_id = f"{file}#{line.number}"
    facts: dict[str, str] = {}
    pairs: list[Pair] = []
    rejected: list[Record | Rejected] = []
    for index, candidate in enumerate(candidates, 1):
        question, answer, in_list = _question_and_answer(candidate)
        fault = _fault(context, question, answer, in_list)
        if fault:
            rejected.append(Rejected.of(file, f"{place}, pair {index}", fault, candidate))
            continue
        # One answer of one passage is one fact, however its questions are worded.
        fact_id = facts.setdefault(answer.casefold(), f"{record_id}/{len(facts) + 1}")
        pairs.append(Pair(f"{record_id}/{index}", fact_id, question, answer, question))
    if not pairs:
        return len(candidates), rejected
    record = Record(record_id, "transcript", file, language_of(context), context, tuple(pairs), entries=len(pairs))
    return len(candidates), [*rejected, record]


def _parse(line: str) -> tuple[str, list[Any]]:
    """The passage and the candidates for pairs of one line."""
    row = json.loads(line)
    output = row["json_output"]
    if isinstance(output, str):
        output = json.loads(_CODE_FENCE.sub("", output.strip()))
    candidates = output["qa_pairs"]
    if not isinstance(candidates, list):
        raise TypeError("qa_pairs is not a list")
    return one_line(row["context"]), candidates


def _question_and_answer(candidate: Any) -> tuple[str, str, str | None]:
    """Both texts, and what is wrong with an answer that is a list."""
    if not isinstance(candidate, dict):
        return "", "", None
    return text_of(candidate.get("question")), *answer_of(candidate.get("answer"))


def _fault(context: str, question: str, answer: str, in_list: str | None) -> str | None:
    for name, text in (("context", context), ("question", question)):
        if not text:
            return f"no {name}"
    if in_list or not answer:
        return in_list or "no answer"
    return "half of a character" if is_broken(context, question, answer) else None
