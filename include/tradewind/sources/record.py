"""A source record, its question/answer pairs, and what could not become one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tradewind.config import Language
from tradewind.errors import UserError

Source = Literal["exam", "term", "transcript"]


@dataclass(frozen=True)
class Pair:
    """One question with its answer."""

    pair_id: str
    fact_id: str
    """Pairs of one fact ask for the same thing in other words."""
    question: str
    answer: str
    stem: str
    """The question without its template: what near-duplicates are judged by."""


@dataclass(frozen=True)
class Record:
    """One glossary entry, exam question or transcript passage."""

    record_id: str
    source: Source
    file: str
    """Relative to the data folder."""
    language: Language
    text: str
    """What adaptation reads, and the `context` of each pair."""
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Rejected:
    """Something that was not converted, and why."""

    file: str
    place: str
    reason: str
    excerpt: str


@dataclass
class Documents:
    """All that was read from a data folder."""

    records: list[Record] = field(default_factory=list)
    passages: list[tuple[str, str]] = field(default_factory=list)
    """Raw transcript passages, with their file: running text without pairs."""
    rejected: list[Rejected] = field(default_factory=list)
    related: list[tuple[str, str]] = field(default_factory=list)
    """Ids of two records that ask nearly the same: one split for both."""
    files: list[str] = field(default_factory=list)
    terms: dict[str, str] = field(default_factory=dict)
    """Names of terms, in any language, with the record that named each first."""

    def reject(self, file: str, place: str, reason: str, excerpt: object) -> None:
        """Keep what could not be converted, cut to a readable length."""
        text = excerpt if isinstance(excerpt, str) else json.dumps(excerpt, ensure_ascii=False)
        readable = text[:200].encode("utf-8", "replace").decode("utf-8")
        self.rejected.append(Rejected(file, place, reason, readable))


def read_text(path: Path) -> str:
    """A file as UTF-8 (a byte order mark is passed over); UserError names the first wrong byte."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start}: not UTF-8; convert it, for example with iconv") from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; make it readable") from error


def read_json(path: Path) -> Any:
    """A JSON document; UserError names the line and column where it breaks."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        place = f"{path}:{error.lineno}:{error.colno}"
        raise UserError(f"{place}: broken JSON ({error.msg}); mend or remove the file") from error
    except RecursionError as error:
        raise UserError(f"{path}: broken JSON (nested too deeply); mend or remove the file") from error


def files_below(data_dir: Path, pattern: str, found: Documents) -> Iterator[tuple[Path, str]]:
    """The files of one source in name order, each noted as read, with its name in the data folder."""
    for path in sorted(data_dir.glob(pattern)):
        if path.is_file():
            name = path.relative_to(data_dir).as_posix()
            found.files.append(name)
            yield path, name


def language_of(text: str) -> Language:
    """`ko` where at least a fifth of the letters are Hangul, else `en`."""
    letters = [char for char in text if char.isalpha()]
    hangul = sum("가" <= char <= "힣" for char in letters)
    return "ko" if letters and hangul >= 0.2 * len(letters) else "en"


def is_broken(*texts: str) -> bool:
    """Whether a text holds half of a character (a lone surrogate), which no file can hold."""
    return any("\ud800" <= char <= "\udfff" for text in texts for char in text)


def one_line(text: str) -> str:
    """White space folded to single spaces."""
    return re.sub(r"\s+", " ", text).strip()
