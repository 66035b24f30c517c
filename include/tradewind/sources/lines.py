"""Lines of a text file, one at a time, each with what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from tradewind.sources.encoding import Encoding

EXCERPT = 200
_PIECE = 1 << 20
# What Python's `surrogateescape` makes of a byte that cannot be decoded.
_ESCAPED = re.compile("[\udc80-\udcff]")


class Line(NamedTuple):
    """One line with its end; of one that is too long the first characters."""

    number: int
    text: str
    fault: str | None


def lines(path: Path, encoding: Encoding, limit: int, newline: Literal["\n", ""] = "\n") -> Iterator[Line]:
    r"""Every line, decoded for itself, so that a broken one spoils no other; never more than `limit` bytes of one.

    Args:
        newline: "\n": a line feed alone ends a line; "": a carriage return does too.
    """
    mixed = encoding.not_utf8_at is not None
    errors = "surrogateescape" if mixed else "strict"
    with path.open(encoding=encoding.name, errors=errors, newline=newline) as file:
        ends = ("\n", "\r") if newline == "" else "\n"
        number = 0
        while text := file.readline(limit + 1):
            number += 1
            if len(text) > limit and not text.endswith(ends):
                while (rest := file.readline(_PIECE)) and not rest.endswith(ends):
                    pass
            if is_longer(text, limit):
                yield Line(number, text[:EXCERPT], too_long("line", limit))
            else:
                yield Line(number, text, _fault(text, encoding) if mixed else None)


def too_long(what: str, limit: int) -> str:
    """The reason why a line, an entry or a document is not read."""
    return f"{what} of more than {limit} bytes (data.max_line_bytes)"


def is_longer(text: str, limit: int) -> bool:
    """Whether a text, without the end of a line, has more than `limit` bytes in UTF-8."""
    text = text.rstrip("\r\n") if len(text) > limit else text
    return len(text) > limit or (
        4 * len(text) > limit and not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > limit
    )


def _fault(text: str, encoding: Encoding) -> str | None:
    """Why a line is not in its file's encoding."""
    if escaped := _ESCAPED.search(text):
        at = len(text[: escaped.start()].encode(encoding.name.removesuffix("-sig"), "surrogateescape"))
        return f"byte {at}: not {encoding.title}"
    if encoding.name == "cp949" and not text.isascii():
        # UTF-8 can pass for CP949; the reverse does not give Hangul.
        try:
            text = text.encode("cp949").decode("utf-8")
        except UnicodeError:
            return None
        if any("가" <= char <= "힣" for char in text):
            return "UTF-8 in a file of CP949"
    return None
