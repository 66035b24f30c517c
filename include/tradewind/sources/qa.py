"""`qa_data/`: tables of questions with their answers, and the text that they are about where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tradewind.config import ColumnsConfig, DataConfig
from tradewind.sources.record import Item, Pair, Record, is_broken, language_of
from tradewind.sources.tables.reading import read_tables
from tradewind.sources.tables.row import answer_of, cell, is_text, kind_of, text_of

FIELDS = {"question": True, "answer": True, "context": False, "id": False}


def read(data_dir: Path, config: DataConfig) -> Iterator[Item]:
    """Every row as a record of one pair; rows with the same context share its text."""
    yield from read_tables(
        data_dir, "qa_data", "pairs", config, fields=FIELDS, convert=partial(pair_of, columns=config.columns)
    )


def pair_of(entry: Any, file: str, key: str, columns: ColumnsConfig) -> Record | str:
    """The record of one row, or why there is none."""
    if not isinstance(entry, Mapping):
        return "not an object with a question and an answer"
    question = text_of(cell(entry, columns.question))
    answer, fault = answer_of(cell(entry, columns.answer))
    told = cell(entry, columns.context)
    context = text_of(told)
    if not question:
        return "no question"
    if fault or not answer:
        return fault or "no answer"
    if not is_text(told):
        return f"the context is {kind_of(told)}, not text"
    if is_broken(question, answer, context):
        return "half of a character"
    record_id = f"{file}#{key}"
    text = context or f"{question} {answer}"
    pair = Pair(f"{record_id}/1", f"{record_id}/1", question, answer, question)
    return Record(record_id, "qa", file, language_of(text), text, (pair,), has_own_text=bool(context))
