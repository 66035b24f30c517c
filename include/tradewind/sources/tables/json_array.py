"""A JSON file with one list, entry by entry: what is held of it is a window, however long the file is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tradewind.errors import UserError
from tradewind.sources.encoding import decoded, encoding_of
from tradewind.sources.lines import EXCERPT, is_longer, too_long
from tradewind.sources.tables.row import Row
from tradewind.sources.whole import broken_json

_DEPTH = 32
_SPACE = re.compile(r"[ \t\n\r]*")
_BRACKET = re.compile(r'["\[\]{}]')
_IN_STRING = re.compile(r'\\[\s\S]|"')
_AT_ONCE = 1 << 16  # characters: what is made of them stays in a processor's cache
_LONGEST_TOKEN = 12  # -Infinity, an escape of two halves

_Object = dict[str, str | None]
_PLAIN: dict[int, msgspec.json.Decoder[Any]] = {
    1: msgspec.json.Decoder(list[_Object]),
    2: msgspec.json.Decoder(list[list[_Object]]),
}
"""Read objects of texts alone, several times as fast, by how deep in lists they stand."""

# Numbers keep the digits that they are written with; NaN, which some tools write for nothing, is nothing.
TEXTUAL = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=lambda _: None)


def rows(path: Path, limit: int, noun: str) -> Iterator[Row]:
    """The entries of a list, and of lists in it; a file that is no list is one row with a fault.

    Raises:
        UserError: the file is not JSON (the line names line and column), or in no known encoding.
    """
    window = _Window(path)
    if window.peek() != "[":
        try:
            yield Row("", window.value(limit), f"not a list of {noun}")
        except _TooLongError as error:
            yield Row("", error.excerpt, f"not a list of {noun}")
    else:
        window.at += 1
        yield from _entries(window, limit)
    if window.peek():
        raise window.broken("Extra data", window.at)


def _entries(window: _Window, limit: int) -> Iterator[Row]:
    """The entries of nested lists; the window stands behind the first bracket."""
    indices = [0]
    after_comma = False
    while indices:
        head = window.peek()
        if head == "{" and (run := window.plain(len(indices), limit)):
            yield from _numbered(run if len(indices) > 1 else [run], indices)
        elif head == "]" and not after_comma:
            window.at += 1
            indices.pop()
        elif head == "[" and len(indices) < _DEPTH:
            window.at += 1
            indices.append(0)
            after_comma = False
            continue
        else:
            key = ".".join(map(str, indices))
            try:
                yield Row(key, window.value(limit))
            except _TooLongError as error:
                yield Row(key, error.excerpt, too_long("entry", limit))
        after_comma = bool(indices) and window.peek() == ","
        if after_comma:
            window.at += 1
            indices[-1] += 1
        elif indices and window.peek() != "]":
            raise window.broken("Expecting ',' delimiter", window.at)


def _numbered(lists: list[list[_Object]], indices: list[int]) -> Iterator[Row]:
    """The members of adjacent lists, from the one that `indices` points to; it then points to the last."""
    for number, members in enumerate(lists):
        if number:
            indices[-2:] = [indices[-2] + 1, 0]
        before = "".join(f"{index}." for index in indices[:-1])
        for index, member in enumerate(members, indices[-1]):
            yield Row(f"{before}{index}", member)
        indices[-1] += len(members)
    indices[-1] -= 1


class _TooLongError(Exception):
    def __init__(self, excerpt: str) -> None:
        self.excerpt = excerpt


class _Window:
    """A part of a JSON text, `at` a place in it; what is before `at` is let go when more is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._encoding = encoding_of(path)
        self._blocks = decoded(path, self._encoding)
        self._ended = False
        self._is_plain = True
        self._line = 1
        self._column = 1
        self.text = ""
        self.at = 0

    def peek(self) -> str:
        """The next character that is not white space, which `at` then points to; empty at the end."""
        while True:
            self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.text):
                return self.text[self.at]
            if not self._more():
                return ""

    def plain(self, depth: int, limit: int) -> list[Any] | None:
        """Many entries at once, `at` behind the last; None, until more is read, where one is no object of texts alone.

        The last closing brace may stand in a text, or a list may end before it: then nothing is read either.
        """
        likely = self._is_plain and depth in _PLAIN and limit >= 4 * _AT_ONCE
        end = likely and self.text.rfind("}", self.at, self.at + _AT_ONCE) + 1
        if not end:
            return None
        try:
            run: list[Any] = _PLAIN[depth].decode("[" * depth + self.text[self.at : end] + "]" * depth)
        except msgspec.DecodeError:
            self._is_plain = False
            return None
        self.at = end
        return run

    def value(self, limit: int) -> Any:
        """The value at `at`, which moves behind it; `_TooLongError` if it is not whole within `limit`."""
        while True:
            try:
                value, end = TEXTUAL.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos > len(self.text) - _LONGEST_TOKEN
                if self._ended or not cut:
                    raise self.broken(error.msg, error.pos) from error
            except RecursionError as error:
                raise self.broken("nested too deeply", self.at) from error
            else:
                # A number that ends where the window ends may go on.
                if end < len(self.text) or self._ended or value.__class__ is dict:
                    start, self.at = self.at, end
                    if 4 * (end - start) > limit and is_longer(self.text[start:end], limit):
                        raise _TooLongError(self.text[start : start + EXCERPT])
                    return value
            if len(self.text) - self.at > limit:
                if self.text[self.at] not in '"[{':
                    raise self.broken("Expecting value", self.at)
                excerpt = self.text[self.at : self.at + EXCERPT]
                self._skip()
                raise _TooLongError(excerpt)
            self._more()

    def broken(self, message: str, position: int) -> UserError:
        """What is wrong at a position of the window, told with its line and column in the file."""
        return broken_json(self._path, self._encoding, *self._place(position), message)

    def _more(self) -> bool:
        self._line, self._column = self._place(self.at)
        self.text, self.at = self.text[self.at :], 0
        block = next(self._blocks, None)
        self._ended = block is None
        self.text += block or ""
        self._is_plain = True
        return not self._ended

    def _place(self, position: int) -> tuple[int, int]:
        newlines = self.text.count("\n", 0, position)
        if not newlines:
            return self._line, self._column + position
        return self._line + newlines, position - self.text.rindex("\n", 0, position)

    def _skip(self) -> None:
        """Move `at` behind the string, list or object that it points to, without holding it."""
        start = self._place(self.at)
        depth, quoted = 0, False
        while True:
            match = (_IN_STRING if quoted else _BRACKET).search(self.text, self.at)
            if match is None:
                # An escape may be cut in two.
                self.at = max(self.at, len(self.text) - self.text.endswith("\\"))
                if not self._more():
                    raise broken_json(self._path, self._encoding, *start, "an entry without an end")
                continue
            self.at = match.end()
            if match[0] == '"':
                quoted = not quoted
            elif not quoted:
                depth += 1 if match[0] in "[{" else -1
            if depth == 0 and not quoted:
                return
