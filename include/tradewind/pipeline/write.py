"""A pipeline as YAML: one way to write each, so that equal pipelines are equal texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tradewind.errors import UserError
from tradewind.files import write_atomically
from tradewind.pipeline.model import Pipeline

SCHEMA_FILE = "pipeline.schema.json"
HEADER = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"
_WIDTH = 110


def yaml_text(stated: Mapping[str, Any]) -> str:
    """The file of a pipeline that states this."""
    return HEADER + yaml.dump(dict(stated), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)


def schema_text() -> str:
    """The JSON schema that editors check a pipeline by."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Pipeline.model_json_schema(by_alias=True)
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def write_new(path: Path, text: str, *, replace: bool = False) -> None:
    """Write a pipeline's file with the schema beside it; UserError where there is a file and it is not to go."""
    if path.exists() and not replace:
        raise UserError(f"{path}: is there already; name another, or say --replace")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path.parent / SCHEMA_FILE, schema_text())
    write_atomically(path, text)


class _Dumper(yaml.SafeDumper):
    """Lists of short values in one line, texts of several lines as they are."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)  # items of a list stand to its right


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = '"' if "\x85" in text else "|" if "\n" in text else None  # a reader takes NEL for an end of line
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    plain = all(not isinstance(item, dict | list) and "\n" not in str(item) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=plain)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
