"""A YAML file as a user wrote it: its values, the line of each key, and faults that name both."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from tradewind.errors import UserError

Key = tuple[str | int, ...]
_LARGEST = 1 << 20
_MOST_VALUES = 100_000
_SHOWN = 100
_UNKEPT = re.compile("[\0\ud800-\udfff]")
"""What an escape in quotes may make, and no environment and no database takes."""
_MERGE = "tag:yaml.org,2002:merge"
_UNTOLD = {"secrets", "environment"}
"""Blocks whose values may be secrets, put there by mistake: they are not repeated."""


@dataclass(frozen=True)
class YamlFile:
    """What stands in a file."""

    path: Path
    text: str
    stated: dict[str, Any]
    """Empty where the file is."""
    lines: Mapping[Key, int]
    """Of keys and of items of lists, from 1."""

    def fault(self, key: Key, message: str) -> UserError:
        """The error about what is stated at `key`, or about the deepest block around it that is stated."""
        return UserError(f"{self.place(key)}: {' '.join(message.splitlines())}")  # which a name in quotes may hold

    def place(self, key: Key) -> str:
        """`file:line` of the key, or of the deepest block around it."""
        return f"{self.path}:{self.lines[self.stated_part(key)]}" if self.stated_part(key) else str(self.path)

    def stated_part(self, key: Key) -> Key:
        """So much of the key as is stated."""
        return next((key[:end] for end in range(len(key), 0, -1) if key[:end] in self.lines), ())


def read_yaml(path: Path, what: str) -> YamlFile:
    """Read a file whose top is a mapping.

    Args:
        what: the file is, such as `recipe`.

    Raises:
        UserError: one line that names the file, the line and what to do.
    """
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise UserError(f"{path}: over {_LARGEST >> 20} MiB: is no {what}; check the path")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start}: not UTF-8; save the {what} as UTF-8") from error
    return parse_yaml(text, path, what)


def parse_yaml(text: str, path: Path, what: str) -> YamlFile:
    """As `read_yaml`, for what was read already; `path` is where it came from."""
    lines: dict[Key, int] = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _check_size(node, path, {}, set())
        _number(node, (), lines, path)  # before merge keys (<<) are written out, which is no stating twice
        stated = None if node is None else yaml.SafeLoader("").construct_document(node)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(f"{path}:{line}: holds the control character {chr(error.character)!r}; remove it") from error
    except yaml.YAMLError as error:
        raise _not_yaml(error, path) from error
    except RecursionError:
        raise UserError(f"{path}: nested too deep; a {what} has a few levels only") from None
    except ValueError as error:  # a date such as 2026-13-45
        raise UserError(f"{path}: {error}; put texts that look like dates or numbers in quotes") from error
    except (AttributeError, IndexError, KeyError, TypeError) as error:  # YAML's own, at `!!timestamp soon`
        raise UserError(f"{path}: not YAML: a tag (!!) that its value does not fit; write the value without") from error
    if stated is None:
        stated = {}
    if not isinstance(stated, dict):
        raise UserError(f"{path}:1: a {what} is a mapping of settings, not a {type(stated).__name__}")
    return YamlFile(path, text, stated, lines)


def fault_of(error: ValidationError, file: YamlFile, model: type[BaseModel]) -> UserError:
    """The first of pydantic's faults with its line; where a key is unknown, with the one that may be meant."""
    faults = error.errors()
    # A misspelt key leaves the right one missing: what is unknown says more.
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    key = first["loc"]
    stated = file.stated_part(key)
    if first["type"] == "extra_forbidden":
        hint = nearest(str(key[-1]), fields_at(model, key[:-1]))
        return file.fault(key, f"{_dotted(key)}: unknown key{hint}")
    if first["type"] == "missing":
        return file.fault(key, f"{_dotted(key)}: is missing; state it")
    # Of a value that may be of one type or another pydantic tells a fault for each.
    same = [fault["msg"].removeprefix("Value error, ") for fault in faults if file.stated_part(fault["loc"]) == stated]
    said = " or ".join(dict.fromkeys(same))
    if any(fault["type"] == "string_type" for fault in faults) and isinstance(first["input"], int | float | date):
        said += "; put it in quotes"
    is_told = not isinstance(first["input"], dict | list | bytes) and not set(key) & _UNTOLD
    got = f" (got {_shortened(repr(first['input']))})" if is_told else ""
    return file.fault(key, f"{_dotted(stated) or 'the file'}: {said}{got}")


def nearest(given: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown name: the nearest one that there is, or all, if there are few."""
    names = list(known)
    near = difflib.get_close_matches(given, names, n=1)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; there are {', '.join(names)}" if names else ""


def fields_at(model: type[BaseModel], key: Key) -> list[str]:
    """The keys that are valid inside the block `key` of a model."""
    for part in key:
        if isinstance(part, int):
            continue
        field = next((field for name, field in model.model_fields.items() if part in (name, field.alias)), None)
        inner = None if field is None else _model_in(field.annotation)
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _dotted(key: Key) -> str:
    dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")
    return " ".join(dotted.splitlines())


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _not_yaml(error: yaml.YAMLError, path: Path) -> UserError:
    mark = getattr(error, "problem_mark", None)
    place = f"{path}:{mark.line + 1}" if mark else str(path)
    problem = getattr(error, "problem", None) or "cannot be parsed"
    hint = "; indent with spaces, not with tabs" if "\\t" in problem else ""
    return UserError(f"{place}: not YAML: {problem}{hint}")


def _check_size(node: Any, path: Path, sizes: dict[int, int], open_: set[int]) -> int:
    """How many values a node stands for with every alias written out; UserError where that is without measure."""
    if id(node) in sizes:
        return sizes[id(node)]
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode) and (unkept := _UNKEPT.search(node.value)):
        raise UserError(f"{path}:{line}: holds the character {unkept[0]!a}, which is none of a text; remove it")
    if id(node) in open_:
        raise UserError(f"{path}:{line}: an alias (*) stands inside its own anchor (&); write the value out")
    open_.add(id(node))
    inner: list[Any] = []
    if isinstance(node, yaml.MappingNode):
        inner = [part for pair in node.value for part in pair]
    elif isinstance(node, yaml.SequenceNode):
        inner = node.value
    size = 1 + sum(_check_size(part, path, sizes, open_) for part in inner)
    if size > _MOST_VALUES:
        raise UserError(
            f"{path}:{line}: its aliases (*) stand for over {_MOST_VALUES:,} values; write out what is meant"
        )
    open_.remove(id(node))
    sizes[id(node)] = size
    return size


def _number(node: Any, key: Key, lines: dict[Key, int], path: Path) -> None:
    """Enter each key's line; of a key that is stated twice YAML would silently take the last."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            inner = (*key, _key_of(name))
            line = name.start_mark.line + 1
            if inner in lines:
                raise UserError(
                    f"{path}:{line}: {_dotted(inner)}: stated twice, first in line {lines[inner]}; leave one out"
                )
            lines[inner] = line
            _number(value, inner, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*key, index] = value.start_mark.line + 1
            _number(value, (*key, index), lines, path)


def _key_of(node: Any) -> Any:
    """A key as the file's values will have it."""
    is_plain = isinstance(node, yaml.ScalarNode) and node.tag != _MERGE
    return yaml.SafeLoader("").construct_object(node) if is_plain else str(node.value)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, tuple, list):
        return next((found for arg in typing.get_args(annotation) if (found := _model_in(arg))), None)
    return None
