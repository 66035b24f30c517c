"""Texts without case, punctuation and width: one by one, and many at once in arrays.

`Texts.of` gives for many texts what `normalise` gives for each, some thirty times as fast; `shingles` are the
characters' 5-grams, of one text as strings, of many as 64-bit hashes. Two different texts share a hash with a
probability of 2^-64: among ten million texts, one such pair in some 400,000 runs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

SHINGLE = 5
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")

_NOT_WORD = re.compile(r"[\W_]+")
_ASCII_WORDS = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
# Characters that compose with no neighbour of these ranges: each is folded alone, through a table.
_ALONE = (
    (0x0000, 0x0300), (0x0370, 0x0483), (0x048A, 0x0530), (0x2000, 0x2070), (0x3000, 0x302A), (0x3041, 0x3097),
    (0x30A1, 0x30FB), (0xFF01, 0xFF5F),
)  # fmt: skip
_AS_IT_IS = ((0x4E00, 0xA000), (0xAC00, 0xD7A4))  # ideographs and Hangul syllables
_WHITE, _STOP, _OTHER, _LINE, _SPACE, _FIRST_WORD = 1, 2, 3, ord("\n"), ord(" "), ord("0")
_TOGETHER = 1 << 31
_MIX = tuple(np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xFF51AFD7ED558CCD))
_BASE = 0x2545F4914F6CDD1D


def normalise(text: str) -> str:
    """Compatibility-composed, case-folded, letters and digits only, single spaces."""
    if text.isascii():  # the same, in a third of the time
        return " ".join(text.translate(_ASCII_WORDS).split())
    return _folded(text).strip()


def shingles(text: str) -> frozenset[str]:
    """The character 5-grams of the normalised text; a shorter text is its own shingle."""
    plain = normalise(text)
    return frozenset(plain[at : at + SHINGLE] for at in range(max(1, len(plain) - SHINGLE + 1)))


@dataclass(frozen=True)
class Sentences:
    """Parts of texts: `texts[owner]` holds `start` to `end`."""

    owner: Array
    start: Array
    end: Array


class Texts:
    """Many normalised texts end to end in `chars`, the n-th from `start[n]` to `end[n]`.

    At least `SHINGLE` characters follow the last. `joined` holds the texts as they were given, one a line.
    """

    def __init__(self, joined: str, chars: npt.NDArray[np.uint32], start: Array, end: Array, breaks: Array) -> None:
        self.joined = joined
        self.chars = chars
        self.start = start
        self.end = end
        self._breaks = breaks

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        """Normalise the texts; white space after `.`, `!` or `?` ends a sentence."""
        joined = _joined(texts)
        raw = _codes(joined)
        folded = _table().take(raw)
        if folded.max() >= _TOGETHER:
            raw = _codes(_joined(_one_by_one(texts, raw, folded)))
            folded = _table().take(raw) & np.uint32(_TOGETHER - 1)
        word = folded >= _FIRST_WORD
        keep = word | (folded == _LINE)
        keep[1:] |= word[:-1]  # of what stands between two words, the first becomes the space
        keep[-SHINGLE:] = True
        chars = folded[keep]
        end = np.flatnonzero(chars == _LINE)
        start = np.append(0, end[:-1] + 1)
        np.maximum(chars, _SPACE, out=chars)
        breaks = np.flatnonzero((folded[:-1] == _STOP) & (folded[1:] == _WHITE)) + 1
        kept_before = np.cumsum(np.add.reduceat(keep, np.append(0, breaks), dtype=np.int64))[:-1]
        return cls(joined, chars, start, _without_space(chars, start, end), kept_before)

    @classmethod
    def as_they_are(cls, texts: Sequence[str]) -> Texts:
        """Take the texts without normalising them, for `hashes` that tell every letter apart."""
        joined = _joined(texts)
        raw = _codes(joined)
        end = np.flatnonzero(raw == _LINE)
        return cls(joined, raw, np.append(0, end[:-1] + 1), end, np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.start)

    @property
    def hashes(self) -> Hashes:
        """One hash a text, equal for equal texts."""
        return self._hash(self.start, self.end)

    def sentences(self) -> tuple[Sentences, Hashes]:
        """The sentences of every text, with their hashes."""
        owner = np.searchsorted(self.start, self._breaks, side="right") - 1
        inside = self._breaks > self.start[owner]
        at, owner = self._breaks[inside], owner[inside]
        everyone = np.concatenate([np.arange(len(self)), owner])
        start = np.concatenate([self.start, at])
        order = np.lexsort((start, everyone))
        everyone, start = everyone[order], start[order]
        last = np.append(everyone[1:] != everyone[:-1], [True])
        end = np.where(last, self.end[everyone], np.append(start[1:], [0]))
        found = Sentences(everyone, start, _without_space(self.chars, start, end))
        return found, self._hash(found.start, found.end)

    def shingles(self) -> tuple[Hashes, Array]:
        """The hashes of every text's 5-grams in order, repeated ones too, and where each text's begin."""
        length = self.end - self.start
        counts = np.maximum(length - SHINGLE + 1, 1)
        first = np.cumsum(counts) - counts
        at = np.repeat(self.start - first, counts)
        at += np.arange(len(at))
        grams = self._grams.take(at)
        short = np.flatnonzero(length < SHINGLE)
        grams[first[short]] = self._short(self.start[short], length[short])
        return grams, first

    def numbers(self) -> Hashes:
        """One hash a text, equal where the same numbers stand in the same order; 0 without numbers."""
        found = np.zeros(len(self), np.uint64)
        digits = np.flatnonzero(_is_decimal().take(self.chars))
        if not len(digits):
            return found
        owner = np.searchsorted(self.start, digits, side="right") - 1
        new_text = np.append([True], owner[1:] != owner[:-1])
        new_number = new_text | np.append([True], np.diff(digits) > 1)
        value = _mixed(self.chars[digits].astype(np.uint64) * _MIX[0] + new_number.astype(np.uint64))
        first = np.flatnonzero(new_text)
        rank = np.arange(len(digits)) - np.repeat(first, np.diff(np.append(first, len(digits))))
        forward, _ = _powers(int(rank.max()) + 1)
        found[owner[first]] = np.add.reduceat(value * forward[rank], first) | np.uint64(1)
        return found

    @cached_property
    def _grams(self) -> Hashes:
        """The hash of the five characters at each place."""
        two = np.ndarray(len(self.chars) - 1, "<u8", self.chars.data, 0, (4,))  # a character and the next
        grams: Hashes = two[: 1 - SHINGLE + 1] * _MIX[0]
        grams += two[2 : 3 - SHINGLE + 1] * _MIX[1]
        grams += self.chars[SHINGLE - 1 :] * _MIX[2]
        return _mixed(grams)

    @cached_property
    def _sums(self) -> Hashes:
        """Sums of the characters before each place, each weighted by a power of its place."""
        sums = np.zeros(len(self.chars) + 1, np.uint64)
        weighted = np.multiply(self.chars, _powers(len(self.chars))[0][: len(self.chars)], out=sums[1:])
        np.cumsum(weighted, out=weighted)
        return sums

    def _hash(self, start: Array, end: Array) -> Hashes:
        """A polynomial of the characters from `start` to `end`, whatever stands before (Karp and Rabin 1987)."""
        return _mixed((self._sums[end] - self._sums[start]) * _powers(len(self.chars))[1][start])

    def _short(self, start: Array, length: Array) -> Hashes:
        hashes = length.astype(np.uint64)
        for at in range(SHINGLE - 1):
            inside = at < length
            hashes = hashes * _MIX[0] + np.where(inside, self.chars[start + np.where(inside, at, 0)] + 1, 0)
        return _mixed(hashes)


def every_character() -> str:
    """All code points in order, halves of characters too."""
    return np.arange(0x110000, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")


def _folded(text: str) -> str:
    return _NOT_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold())


def _joined(texts: Sequence[str]) -> str:
    """The texts, each ended by a line feed; those within are spaces."""
    joined = "\n".join([*texts, ""])
    if joined.count("\n") == len(texts):
        return joined
    return "\n".join([*(text.replace("\n", " ") for text in texts), ""])


def _codes(joined: str) -> npt.NDArray[np.uint32]:
    """Code points, `SHINGLE` zeros after them."""
    return np.frombuffer((joined + "\0" * SHINGLE).encode("utf-32-le", "surrogatepass"), "<u4")


def _one_by_one(texts: Sequence[str], raw: npt.NDArray[np.uint32], folded: npt.NDArray[np.uint32]) -> Sequence[str]:
    """The texts; those that hold a character that is not folded alone come normalised, sentence by sentence."""
    lines = np.flatnonzero(raw == _LINE)
    changed = list(texts)
    for index in np.unique(np.searchsorted(lines, np.flatnonzero(folded >= _TOGETHER))).tolist():
        changed[index] = ". ".join(normalise(part) for part in SENTENCE_END.split(texts[index]))
    return changed


def _without_space(chars: npt.NDArray[np.uint32], start: Array, end: Array) -> Array:
    trimmed: Array = end - ((end > start) & (chars[end - 1] == _SPACE))
    return trimmed


def _mixed(hashes: Hashes) -> Hashes:
    hashes ^= hashes >> np.uint64(32)
    hashes *= _MIX[3]
    return hashes


@cache
def _table() -> npt.NDArray[np.uint32]:
    """What a character becomes by itself; with the bit `_TOGETHER` where its text must be seen whole."""
    table = np.arange(0x110000, dtype=np.uint32) | np.uint32(_TOGETHER)
    for first, end in _AS_IT_IS:
        table[first:end] = np.arange(first, end)
    for code in (code for first, end in _ALONE for code in range(first, end)):
        char, plain = chr(code), _folded(chr(code))
        if plain == " ":
            table[code] = _WHITE if char.isspace() else _STOP if char in ".!?" else _OTHER
        elif len(plain) == 1:
            table[code] = ord(plain)
    table[_LINE] = _LINE
    return table


@cache
def _is_decimal() -> npt.NDArray[np.bool_]:
    table = np.zeros(0x110000, np.bool_)
    table[[match.start() for match in re.finditer(r"\d", every_character())]] = True
    return table


def _powers(count: int) -> tuple[Hashes, Hashes]:
    """`_BASE` to the powers 0, 1, 2 ... modulo 2^64, and to their negatives; at least `count` of each."""
    return _powers_to(1 << max(16, count.bit_length()))


@cache
def _powers_to(count: int) -> tuple[Hashes, Hashes]:
    def of(base: int) -> Hashes:
        powers = np.full(count, base, np.uint64)
        powers[0] = 1
        return np.cumprod(powers, out=powers)

    return of(_BASE), of(pow(_BASE, -1, 1 << 64))
