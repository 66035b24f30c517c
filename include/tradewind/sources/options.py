"""The options of a multiple-choice question, however they are marked, and which of them an answer names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LABELS = ("[1-9]", "[A-I]", "[a-i]")
# As scans leave them: a dot may be glued to the text behind it, but no decimal is an option.
_DOTTED_DIGIT = r"(?:^|\s)(?:([1-9])\.\s*(?=[^\d\s])|([1-9])\.\s+)"
_MARKS = [
    re.compile(mark)
    for mark in (
        _DOTTED_DIGIT,
        *(rf"(?:^|\s)({label})\.\s+(?=\S)" for label in _LABELS[1:]),  # initials and B.C. are glued
        *(rf"(?:^|\s)({label})\)\s*(?=\S)" for label in _LABELS),
        *(rf"(?:^|\s)\(({label})\)\s*(?=\S)" for label in _LABELS),
    )
]
_NAMED = re.compile(r"(?:\(([1-9A-Ia-i])\)|([1-9A-Ia-i])\s*[.)번]|([1-9A-Ia-i])(?=\s|$))\s*(.*)")
_LONE = re.compile(r"\(?(?:[1-9]|[A-Za-z])\)?\s*[.)번]?")


@dataclass(frozen=True)
class Options:
    """The question before its options, and each option's text by its label, from 1 or A on."""

    stem: str
    texts: dict[str, str]
    dotted: bool
    """They are numbered `1.`, which running text hardly is."""

    @property
    def certain(self) -> bool:
        """Whether they are options also where the answer is none of them: a sentence ends before the first.

        In running text, such as "How do (a) and (b) differ?", labels stand amid a sentence.
        """
        return self.dotted or (
            self.stem.endswith((".", "?", "!", ":")) and not list(self.texts.values())[-1].endswith("?")
        )

    def named(self, answer: str) -> str | None:
        """`3`, `3.`, `(3)`, `3번`, `3. text` or the option's text, as `3. text`; letters of either case alike."""
        if match := _NAMED.fullmatch(answer):
            label = next(filter(None, match.groups()[:3]))
            label = next((own for own in self.texts if own.casefold() == label.casefold()), label)
            text = self.texts.get(label)
            if text is not None and (not match[4] or _same(match[4], text)):
                return f"{label}. {text}"
        return next((f"{label}. {text}" for label, text in self.texts.items() if _same(answer, text)), None)


def options_in(text: str) -> Iterator[Options]:
    """What can be read as options, two or more in order; those that are numbered `1.` come first."""
    for mark in _MARKS:
        starts: list[re.Match[str]] = []
        for match in mark.finditer(text):
            if _place(match) == len(starts) + 1:
                starts.append(match)
        if len(starts) < 2:
            continue
        ends = [match.start() for match in starts[1:]] + [len(text)]
        texts = [text[match.end() : end].strip() for match, end in zip(starts, ends, strict=True)]
        if all(texts):
            labelled = dict(zip(map(_label, starts), texts, strict=True))
            yield Options(text[: starts[0].start()].strip(), labelled, dotted=mark is _MARKS[0])


def is_lone_label(answer: str) -> bool:
    """Whether an answer names an option and says nothing else."""
    return _LONE.fullmatch(answer) is not None


def _label(match: re.Match[str]) -> str:
    return str(match[match.lastindex or 1])


def _place(match: re.Match[str]) -> int:
    label = _label(match)
    return int(label) if label.isdigit() else ord(label.upper()) - ord("A") + 1


def _same(one: str, other: str) -> bool:
    return one.rstrip(".").casefold() == other.rstrip(".").casefold()
