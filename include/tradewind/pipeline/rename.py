"""A pipeline's file under another name, with its comments and its own way of writing."""

from __future__ import annotations

import json
from typing import Any

import yaml

from tradewind.pipeline.read import Document, parse_pipeline


def renamed(document: Document, name: str) -> str:
    """The text with another `name`.

    Raises:
        UserError: no pipeline may have that name.
    """
    text = document.file.text
    top: Any = yaml.compose(text, Loader=yaml.SafeLoader)  # a mapping with a name, or it were no document
    value = next(value for key, value in top.value if key.value == "name")
    changed = text[: value.start_mark.index] + _scalar(name) + text[value.end_mark.index :]
    parse_pipeline(changed, document.file.path)
    return changed


def _scalar(name: str) -> str:
    """The name as YAML: in quotes where it would be a number or the like."""
    try:
        plain = yaml.safe_load(name) == name
    except yaml.YAMLError:
        plain = False
    return name if plain else json.dumps(name)
