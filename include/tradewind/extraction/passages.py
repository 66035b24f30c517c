"""Running text cut into passages that a model can read at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tradewind.config import ExtractConfig, Language, RunConfig
from tradewind.errors import UserError
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


def cut_digest(cut: Sequence[Chunk]) -> str:
    """A hash of all pieces, by which shards that were cut otherwise are told apart."""
    text = json.dumps([[chunk.name, chunk.text] for chunk in cut], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_groups(cut: Sequence[Chunk], config: RunConfig, data_dir: Path) -> None:
    """Tell before anything is paid for where too few texts are to be held out.

    Pieces that share a sentence stay together in the split, so with an overlap a text is held out whole.

    Raises:
        UserError: a share of the texts that the recipe holds out is none, and no other documents are there.
    """
    others = any(
        next((data_dir / name).glob("*"), None) for name in ("term_data", "qa_data", "transcript_data/success")
    )
    if config.extract is None or config.extract.overlap_tokens == 0 or config.data.datasets or others or not cut:
        return
    texts = {language: {chunk.file for chunk in cut if chunk.language == language} for language in ("en", "ko")}
    for kind in ("read", "unseen"):
        share = getattr(config.split, kind)
        if share > 0 and not any(round(len(files) * share) for files in texts.values()):
            raise UserError(
                f"split.{kind}: {share} of {sum(map(len, texts.values()))} texts is none to hold out (passages that "
                "overlap stay together); raise it, set it to 0, set extract.overlap_tokens to 0, or add texts"
            )


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
