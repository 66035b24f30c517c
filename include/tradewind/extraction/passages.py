"""Running text cut into passages that a model can read at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from tradewind.config import ExtractConfig, Language
from tradewind.sentences import sentences
from tradewind.sources.record import Passage, language_of

Count = Callable[[str], int]
"""The length of a text in tokens."""


@dataclass(frozen=True)
class Chunk:
    """A passage to draw pairs from."""

    file: str
    number: int
    """From 1, in the file."""
    text: str
    language: Language

    @property
    def name(self) -> str:
        """What other files call it."""
        return f"{self.file}#{self.number}"


def chunks(passages: Iterable[Passage], config: ExtractConfig, count: Count) -> Iterator[Chunk]:
    """Cut each file's text at sentence ends into pieces of at most `passage_tokens`.

    A piece begins with the last sentences of the one before, of at most `overlap_tokens`, so that
    a fact told across the cut is whole in one of them. Paragraphs do not end a piece.
    """
    for file, paragraphs in groupby(passages, key=lambda passage: passage.file):
        parts = [part for paragraph in paragraphs for part in sentences(paragraph.text)]
        fitting = [piece for part in parts for piece in _fitting(part, config.passage_tokens, count)]
        for number, text in enumerate(_packed(fitting, config, count), 1):
            yield Chunk(file, number, text, language_of(text))


def _packed(parts: list[str], config: ExtractConfig, count: Count) -> Iterator[str]:
    # Lengths are added up, not measured on the joined text: a joint costs at most a token, counted here.
    lengths = [count(part) + 1 for part in parts]
    start = 0
    while start < len(parts):
        end, total = start, 0
        while end < len(parts) and (end == start or total + lengths[end] <= config.passage_tokens):
            total += lengths[end]
            end += 1
        yield " ".join(parts[start:end])
        if end == len(parts):
            return
        following, shared = end, 0
        # At least one sentence further each time, and room for one that is new.
        while following - 1 > start and shared + lengths[following - 1] <= config.overlap_tokens:
            following -= 1
            shared += lengths[following]
        start = following if shared + lengths[end] <= config.passage_tokens else end


def _fitting(sentence: str, limit: int, count: Count) -> Iterator[str]:
    """The sentence, or halves of its words until each fits: speech recognition writes no full stops."""
    words = sentence.split()
    if count(sentence) < limit:
        yield sentence
    elif len(words) > 1:
        middle = len(words) // 2
        yield from _fitting(" ".join(words[:middle]), limit, count)
        yield from _fitting(" ".join(words[middle:]), limit, count)
    else:
        # One unbroken run of signs, such as an address or encoded data.
        middle = len(sentence) // 2
        yield from _fitting(sentence[:middle], limit, count)
        yield from _fitting(sentence[middle:], limit, count)
