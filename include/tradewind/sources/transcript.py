"""`transcript_data/*.txt`: lectures, and the pairs drawn from them in `success/*.jsonl`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tradewind.sources.record import (
    Item,
    Pair,
    Passage,
    Record,
    Rejected,
    SourceFile,
    files_below,
    is_broken,
    language_of,
    one_line,
    read_text,
)

_CODE_FENCE = re.compile(r"^```(?:json)?\s*|\s*```$")


def read(data_dir: Path) -> Iterator[Item]:
    """The passages of every lecture, and the pairs of every passage that has some."""
    for path, name in files_below(data_dir, "transcript_data/*.txt"):
        passages = [one_line(passage) for passage in re.split(r"\n\s*\n", read_text(path))]
        yield from (Passage(name, passage) for passage in passages if passage)
        yield SourceFile(name, entries=0)
    for path, name in files_below(data_dir, "transcript_data/success/*.jsonl"):
        entries = 0
        for number, line in enumerate(read_text(path).split("\n"), 1):
            if line.strip():
                count, items = _line(line, name, number)
                entries += count
                yield from items
        yield SourceFile(name, entries)


def _line(line: str, file: str, number: int) -> tuple[int, list[Record | Rejected]]:
    """How many candidates for pairs a line holds (at least one), and what became of them."""
    place = f"line {number}"
    try:
        context, candidates = _parse(line)
    except json.JSONDecodeError as error:
        return 1, [Rejected.of(file, place, f"broken JSON at column {error.colno}: {error.msg}", line)]
    except RecursionError:
        return 1, [Rejected.of(file, place, "broken JSON: nested too deeply", line)]
    except (KeyError, TypeError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        return 1, [Rejected.of(file, place, f"not {{context, json_output: {{qa_pairs}}}}: {reason}", line)]
    if not candidates:
        return 1, [Rejected.of(file, place, "no pairs in qa_pairs", line)]
    record_id = f"{file}#{number}"
    facts: dict[str, str] = {}
    pairs: list[Pair] = []
    rejected: list[Record | Rejected] = []
    for index, candidate in enumerate(candidates, 1):
        question, answer = _question_and_answer(candidate)
        fault = _fault(context, question, answer)
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


def _fault(context: str, question: str, answer: str) -> str | None:
    for name, text in (("context", context), ("question", question), ("answer", answer)):
        if not text:
            return f"no {name}"
    return "half of a character" if is_broken(context, question, answer) else None


def _question_and_answer(candidate: Any) -> tuple[str, str]:
    if not isinstance(candidate, dict):
        return "", ""
    question, answer = candidate.get("question"), candidate.get("answer")
    if isinstance(answer, list):
        parts = [one_line(str(part)) for part in answer if isinstance(part, str | int | float)]
        answer = ", ".join(part for part in parts if part)
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        answer = str(answer)
    return tuple(one_line(text) if isinstance(text, str) else "" for text in (question, answer))  # type: ignore[return-value]
