"""A source record, its question/answer pairs, and what could not become one."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

import msgspec

from tradewind.config import Language

_HANGUL = re.compile("[가-힣]+")

Source = Literal["exam", "term", "qa", "transcript"]


_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_OF_PAIR = re.compile(r"(?<=near-duplicate question) of .*?(?=, with another answer$|$)", re.DOTALL)
_NUMBER = re.compile(r"\d[\d,.]*\d|\d")


class Pair(msgspec.Struct, frozen=True, gc=False):
    """One question with its answer."""

    pair_id: str
    fact_id: str
    """Pairs of one fact ask for the same thing in other words."""
    question: str
    answer: str
    stem: str
    """The question without its template: what near-duplicates are judged by."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One glossary entry, exam question, ready pair or transcript passage."""

    record_id: str
    source: Source
    file: str
    """Relative to the data folder."""
    language: Language
    text: str
    """What adaptation reads, and the `context` of each pair."""
    pairs: tuple[Pair, ...]
    names: tuple[str, ...] = ()
    """Names of the term in any language, case-folded: records that share one go together."""
    entries: int = 1
    """How many of its file's entries it was made of."""
    has_own_text: bool = True
    """Whether its text says more than the question with its answer: something that may be read before it is asked."""


@dataclass(frozen=True)
class Passage:
    """Running text without pairs."""

    file: str
    text: str


@dataclass(frozen=True)
class Rejected:
    """One entry that was not converted, and why."""

    file: str
    place: str
    reason: str
    excerpt: str
    entries = 1

    @classmethod
    def of(cls, file: str, place: str, reason: str, excerpt: object) -> Rejected:
        """Keep what could not be converted, cut to a readable length."""
        try:
            text = excerpt if isinstance(excerpt, str) else json.dumps(excerpt, ensure_ascii=False, default=str)
        except RecursionError:  # what could just be read may be a level too deep to be written
            text = "nested too deeply to be shown"
        return cls(file, place, reason, text[:200].encode("utf-8", "replace").decode("utf-8"))

    @property
    def kind(self) -> str:
        """What it has in common with others of its reason."""
        return reason_kind(self.reason)


@dataclass(frozen=True)
class SourceFile:
    """A file that was read, or a part of it."""

    name: str
    """Relative to the data folder."""
    entries: int
    """How many entries stand in it, counted apart from what became of them."""


@dataclass(frozen=True)
class LeftOut:
    """What a trial does not take, see `data.max_records`: entries that would have become a record, or passages."""

    file: str
    entries: int = 0
    passages: int = 0


Item = Record | Passage | Rejected | SourceFile | LeftOut


def language_of(text: str) -> Language:
    """`ko` where at least a fifth of the letters are Hangul, else `en`."""
    if text.isascii():
        return "en"
    hangul = sum(map(len, _HANGUL.findall(text)))
    # Letters are counted, slowly, only where they decide.
    return "ko" if hangul and (hangul >= 0.2 * len(text) or hangul >= 0.2 * sum(map(str.isalpha, text))) else "en"


def is_broken(*texts: str) -> bool:
    """Whether a text holds half of a character (a lone surrogate), which no file can hold."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return True
    return False


def reason_kind(reason: str) -> str:
    """What reasons have in common that differ in names, numbers and quoted text alone."""
    return _NUMBER.sub("n", _QUOTED.sub("'…'", _OF_PAIR.sub("", reason)))[:120]


def one_line(text: str) -> str:
    """Unicode's composed form (NFC), white space folded to single spaces."""
    if text.isprintable() and "  " not in text and unicodedata.is_normalized("NFC", text):
        return text.strip(" ")  # of printable characters only the space is white
    return " ".join(unicodedata.normalize("NFC", text).split())
