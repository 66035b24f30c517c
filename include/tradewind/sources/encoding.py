"""Which encoding a file is in: what it says itself, UTF-8, or CP949 where that gives Korean."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tradewind.errors import UserError

_BLOCK = 1 << 20
_HEAD = 4096
_VOTES = 10_000
_KOREAN = 0.85
# UTF-32's little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Encoding:
    """A codec's name, and the first byte that is not UTF-8 where another was guessed or some lines are broken."""

    name: str
    not_utf8_at: int | None = None

    @property
    def title(self) -> str:
        """As people write it."""
        return self.name.removesuffix("-sig").upper()


def encoding_of(path: Path) -> Encoding:
    """The encoding that reads the whole file, which is gone through once for it, block by block.

    Raises:
        UserError: none does, or the file cannot be opened; the line names the first wrong byte.
    """
    marked = _marked(path)
    fault = _first_fault(path, marked or "utf-8")
    if fault is None:
        return Encoding(marked or "utf-8-sig")
    if not marked and _first_fault(path, "cp949") is None and _is_korean(_head(path, _BLOCK)):
        return Encoding("cp949", fault)
    raise UserError(
        f"{path}: byte {fault}: not {(marked or 'utf-8').upper()}; "
        "convert it, for example with iconv -f CP1252 -t UTF-8 FILE > NEW"
    )


def encoding_of_lines(path: Path) -> Encoding:
    """The encoding of most lines (UTF-8 or CP949), where not all lines are in one.

    Raises:
        UserError: the file is marked as UTF-16 or UTF-32 and is not, or cannot be opened.
    """
    if _marked(path):
        return encoding_of(path)
    fault = _first_fault(path, "utf-8")
    if fault is None:
        return Encoding("utf-8-sig")
    votes: Counter[str | None] = Counter()
    with path.open("rb") as file:
        while votes.total() < _VOTES and (line := file.readline(_BLOCK)):
            if not line.isascii():
                votes[_reads_as(line)] += 1
    return Encoding("cp949" if votes["cp949"] > votes["utf-8"] else "utf-8-sig", fault)


def decoded(path: Path, encoding: Encoding) -> Iterator[str]:
    """The text of a file that `encoding` reads, in blocks."""
    decoder = codecs.getincrementaldecoder(encoding.name)()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def _marked(path: Path) -> str | None:
    """What a byte order mark says; or NUL bytes, every second one where UTF-16 holds ASCII, and none in UTF-8."""
    head = _head(path, _HEAD)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    even, odd = head[::2].count(0), head[1::2].count(0)
    if 40 * (even + odd) <= len(head):  # a stray one tells nothing
        return None
    likely = "utf-16-le" if odd > even else "utf-16-be"
    return likely if _first_fault(path, likely) is None else None


def _head(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; make it readable") from error


def _first_fault(path: Path, name: str) -> int | None:
    """Where the first byte stands that the codec cannot read."""
    decoder = codecs.getincrementaldecoder(name)()
    at = pending = 0
    try:
        with path.open("rb") as file:
            while True:
                block = file.read(_BLOCK)
                pending = len(decoder.getstate()[0])
                decoder.decode(block, final=not block)
                if not block:
                    return None
                at += len(block)
    except UnicodeDecodeError as error:
        return at - pending + error.start


def _reads_as(line: bytes) -> str | None:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return "cp949" if _is_korean(line) else None
    return "utf-8"


def _is_korean(content: bytes) -> bool:
    """Whether it gives Hangul as CP949: nearly all letters usual syllables, which Chinese in GBK does not give."""
    try:
        # A block may end within a character.
        text = codecs.getincrementaldecoder("cp949")().decode(content)
    except UnicodeDecodeError:
        return False
    letters = [char for char in text if not char.isascii() and char.isalpha()]
    usual = _usual_syllables()
    return bool(letters) and sum(char in usual for char in letters) >= _KOREAN * len(letters)


@cache
def _usual_syllables() -> frozenset[str]:
    """The Hangul of KS X 1001, rows 16 to 40."""
    rows = (bytes((row, cell)) for row in range(0xB0, 0xC9) for cell in range(0xA1, 0xFF))
    return frozenset(syllable.decode("euc_kr") for syllable in rows)
