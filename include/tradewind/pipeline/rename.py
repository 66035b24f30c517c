"""A pipeline's file under another name, with its comments and its own way of writing."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from tradewind.errors import UserError
from tradewind.pipeline.model import NAME
from tradewind.pipeline.read import Document, parse_pipeline


def renamed(document: Document, name: str) -> str:
    """The text with another `name`.

    Raises:
        UserError: no pipeline may have that name, or the file states its own in another way than in one line.
    """
    text, path = document.file.text, document.file.path
    top: Any = yaml.compose(text, Loader=yaml.SafeLoader)  # a mapping with a name, or it were no document
    value = next((value for key, value in top.value if key.value == "name"), None)
    changed = text if value is None else text[: value.start_mark.index] + _scalar(name) + text[value.end_mark.index :]
    try:
        is_renamed = parse_pipeline(changed, path).pipeline == document.pipeline.model_copy(update={"name": name})
    except UserError:
        if not re.fullmatch(NAME, name):
            raise
        is_renamed = False
    if not is_renamed:  # it is stated by an anchor, a merge key or several lines
        raise document.file.fault(("name",), "name: cannot be replaced so; state it in one line, as `name: mine`")
    return changed


def _scalar(name: str) -> str:
    """The name as YAML: in quotes where it would be a number or the like."""
    try:
        plain = yaml.safe_load(name) == name
    except yaml.YAMLError:
        plain = False
    return name if plain else json.dumps(name)
