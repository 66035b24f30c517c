"""`term_data/`: tables of terms with their descriptions."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from tradewind.config import DataConfig, Language
from tradewind.sources.record import Item, Pair, Record, is_broken, language_of
from tradewind.sources.tables.reading import read_tables
from tradewind.sources.tables.row import cell, is_text, kind_of, text_of

FIELDS = {"term": True, "description": True, "eng_term": False, "id": False}


def read(data_dir: Path, config: DataConfig) -> Iterator[Item]:
    """Every term as two pairs: description to term, and term to description."""
    yield from read_tables(
        data_dir, "term_data", "terms", config, fields=FIELDS, convert=partial(term_of, config=config)
    )


def term_of(entry: Any, file: str, key: str, config: DataConfig) -> Record | str:
    """The record of one entry, or why there is none."""
    if not isinstance(entry, Mapping):
        return "not an object with a term and a description"
    columns = config.columns
    term = text_of(cell(entry, columns.term))
    description = text_of(cell(entry, columns.description))
    english = cell(entry, columns.eng_term)
    eng_term = text_of(english)
    if not term or not description:
        return "no term" if not term else "no description"
    if not is_text(english):
        return f"the English term is {kind_of(english)}, not text"
    if is_broken(term, description, eng_term):
        return "half of a character"
    named_korean = "kor_term" in columns.term and text_of(entry.get("kor_term"))
    language: Language = "ko" if named_korean else language_of(f"{term} {description}")
    if language not in config.templates:
        return f"no question templates for the language '{language}'"
    record_id = f"{file}#{key}"
    ask = config.templates[language]
    fact = f"{record_id}/term"
    pairs = (
        Pair(f"{record_id}/1", fact, fill(ask.description_to_term, term, description, eng_term), term, description),
        Pair(f"{record_id}/2", fact, fill(ask.term_to_description, term, description, eng_term), description, term),
    )
    names = tuple(filter(None, (term.casefold(), eng_term.casefold())))
    named = f"{term} ({eng_term})" if eng_term else term
    return Record(record_id, "term", file, language, f"{named}: {description}", pairs, names)


def fill(template: str, term: str, description: str, eng_term: str) -> str:
    """The question of a template; an absent English term takes the brackets around it along."""
    return _numbered(template, bool(eng_term)).format(term, description, eng_term)


@cache
def _numbered(template: str, has_english: bool) -> str:
    """The template with numbers for names, which `format` is twice as fast with."""
    if not has_english:
        template = template.replace("({eng_term})", "").replace("{eng_term}", "")
    number = {"term": "{0}", "description": "{1}", "eng_term": "{2}", None: ""}
    parts = string.Formatter().parse(template)
    return "".join(text.replace("{", "{{").replace("}", "}}") + number[name] for text, name, _, _ in parts)
