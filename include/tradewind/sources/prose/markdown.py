"""Markdown: the text of its paragraphs, headings, lists and tables, without the markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.sources.lines import too_long
from tradewind.sources.record import Rejected
from tradewind.sources.whole import read_text

if TYPE_CHECKING:
    from markdown_it.token import Token

# Settings of a page, in YAML, that some tools keep at its top.
_FRONT_MATTER = re.compile(r"\A---\n.*?\n(?:---|\.\.\.)\n", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")


def blocks(path: Path, name: str, limit: int) -> Iterator[str | Rejected]:
    """A passage for every paragraph, heading, list, table and block of code at the top of the document."""
    if path.stat().st_size > limit:
        yield Rejected.of(name, "file", too_long("document", limit), "")
        return
    from markdown_it import MarkdownIt

    text = _FRONT_MATTER.sub("", read_text(path).replace("\r\n", "\n"))  # markdown-it sees to other ends of lines
    parts: list[str] = []
    depth = 0
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        depth += token.nesting
        parts += _texts(token)
        if depth == 0 and parts:
            yield "\n".join(parts)
            parts = []


def _texts(token: Token) -> Iterator[str]:
    """What a block says; a line of a table is one text."""
    if token.type == "inline":
        yield "".join(map(_inline, token.children or ()))
    elif token.type in {"fence", "code_block"}:
        yield token.content
    elif token.type == "html_block":
        yield unescape(_TAG.sub(" ", _COMMENT.sub("", token.content)))


def _inline(token: Token) -> str:
    if token.type in {"softbreak", "hardbreak"}:
        return "\n"
    if token.type == "html_inline":
        return "\n" if token.content.lower().startswith("<br") else ""
    # Of an image its description; what encloses text (emphasis, a link) has no content.
    return token.content
