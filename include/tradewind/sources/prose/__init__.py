"""Running text in passages: plain text, Markdown, PDF and Word files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tradewind.sources.prose import markdown, pdf, plain, word
from tradewind.sources.record import Passage, Rejected, is_broken, one_line


def passages(path: Path, name: str, limit: int) -> Iterator[Passage | Rejected]:
    """The passages of a file, each on one line, and what of it cannot be read.

    Raises:
        UserError: a text file is in no known encoding.
    """
    match path.suffix.lower():
        case ".md":
            found = markdown.blocks(path, name, limit)
        case ".pdf":
            found = pdf.pages(path, name)
        case ".docx":
            found = word.blocks(path, name, limit)
        case _:
            found = plain.blocks(path, name, limit)
    for number, part in enumerate(found, 1):
        if isinstance(part, Rejected):
            yield part
        elif is_broken(part):
            yield Rejected.of(name, f"passage {number}", "half of a character", part)
        elif text := one_line(part):
            yield Passage(name, text)
