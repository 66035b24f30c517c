"""`term_data/*.json`: a list (or list of lists) of terms with their descriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tradewind.config import Language, QuestionTemplates
from tradewind.sources.record import Documents, Pair, Record, files_below, is_broken, language_of, one_line, read_json


def read(data_dir: Path, found: Documents, templates: Mapping[Language, QuestionTemplates]) -> None:
    """Add every term to `found` as two pairs: description to term, and term to description."""
    for path, name in files_below(data_dir, "term_data/*.json", found):
        document = read_json(path)
        if not isinstance(document, list):
            found.reject(name, "top level", "not a list of terms", document)
            continue
        entries = list(_entries(document))
        if not entries:
            found.reject(name, "top level", "no terms", document)
        for place, entry in entries:
            _add(entry, name, place, found, templates)


def _entries(document: list[Any]) -> Iterator[tuple[str, Any]]:
    for index, entry in enumerate(document):
        if isinstance(entry, list):
            for inner, deeper in enumerate(entry):
                yield f"{index}.{inner}", deeper
        else:
            yield f"{index}", entry


def _add(entry: Any, file: str, place: str, found: Documents, templates: Mapping[Language, QuestionTemplates]) -> None:
    if not isinstance(entry, dict):
        found.reject(file, f"entry {place}", "not an object with a term and a description", entry)
        return
    term, description, eng_term = (
        _text(entry, *names) for names in (("kor_term", "term"), ("description",), ("eng_term",))
    )
    if not term or not description:
        missing = "term" if not term else "description"
        found.reject(file, f"entry {place}", f"no {missing}", entry)
        return
    if is_broken(term, description, eng_term):
        found.reject(file, f"entry {place}", "half of a character", entry)
        return
    language: Language = "ko" if _text(entry, "kor_term") else language_of(f"{term} {description}")
    if language not in templates:
        found.reject(file, f"entry {place}", f"no question templates for the language '{language}'", entry)
        return
    record_id = f"{file}#{place}"
    ask = templates[language]
    fact = f"{record_id}/term"
    pairs = (
        Pair(f"{record_id}/1", fact, fill(ask.description_to_term, term, description, eng_term), term, description),
        Pair(f"{record_id}/2", fact, fill(ask.term_to_description, term, description, eng_term), description, term),
    )
    for name in filter(None, (term.casefold(), eng_term.casefold())):
        first = found.terms.setdefault(name, record_id)  # the same term in another file or language
        found.related.append((record_id, first))
    named = f"{term} ({eng_term})" if eng_term else term
    found.records.append(Record(record_id, "term", file, language, f"{named}: {description}", pairs))


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
