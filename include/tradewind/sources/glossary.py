"""`term_data/*.json`: a list (or list of lists) of terms with their descriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tradewind.config import Language, QuestionTemplates
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


def read(data_dir: Path, templates: Mapping[Language, QuestionTemplates]) -> Iterator[Item]:
    """Every term as two pairs: description to term, and term to description."""
    for path, name in files_below(data_dir, "term_data/*.json"):
        document = read_json(path)
        entries = list(_entries(document)) if isinstance(document, list) else []
        if not entries:
            reason = "no terms" if isinstance(document, list) else "not a list of terms"
            yield Rejected.of(name, "top level", reason, document)
        for place, entry in entries:
            yield _term(entry, name, place, templates)
        yield SourceFile(name, entries=len(entries) or 1)


def _entries(document: list[Any]) -> Iterator[tuple[str, Any]]:
    for index, entry in enumerate(document):
        if isinstance(entry, list):
            for inner, deeper in enumerate(entry):
                yield f"{index}.{inner}", deeper
        else:
            yield f"{index}", entry


def _term(entry: Any, file: str, place: str, templates: Mapping[Language, QuestionTemplates]) -> Record | Rejected:
    if not isinstance(entry, dict):
        return Rejected.of(file, f"entry {place}", "not an object with a term and a description", entry)
    term, description, eng_term = (
        _text(entry, *names) for names in (("kor_term", "term"), ("description",), ("eng_term",))
    )
    if not term or not description:
        missing = "term" if not term else "description"
        return Rejected.of(file, f"entry {place}", f"no {missing}", entry)
    if is_broken(term, description, eng_term):
        return Rejected.of(file, f"entry {place}", "half of a character", entry)
    language: Language = "ko" if _text(entry, "kor_term") else language_of(f"{term} {description}")
    if language not in templates:
        return Rejected.of(file, f"entry {place}", f"no question templates for the language '{language}'", entry)
    record_id = f"{file}#{place}"
    ask = templates[language]
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
    if not eng_term:
        template = template.replace("({eng_term})", "").replace("{eng_term}", "")
    return template.format(term=term, description=description, eng_term=eng_term)


def _text(entry: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = entry.get(name)
        if isinstance(value, str) and value.strip():
            return one_line(value)
    return ""
