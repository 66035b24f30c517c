"""This folder's templates, and document text made harmless for Markdown; imports nothing but jinja2."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

_MARKS = re.compile(r"[\\`*_\[\]<>#|!~&$]")


def template(name: str, *, autoescape: bool) -> Template:
    """A template of this folder; with `autoescape` every text put into it is HTML-escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=autoescape,  # noqa: S701 - off for Markdown only
        undefined=StrictUndefined,
    )
    environment.filters |= {"number": "{:,}".format, "plain": plain}
    return environment.get_template(name)


def plain(text: str) -> str:
    """A document's text for Markdown: on one line, without meaning to Markdown or HTML (CommonMark 2.4)."""
    return _MARKS.sub(r"\\\g<0>", " ".join(text.split()))
