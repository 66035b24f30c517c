"""Every setting of a recipe as tables in Markdown, from the models of `tradewind.config` and what stands below them."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tradewind.config import Recipe

_WORDS = {int: "whole number", float: "number", str: "text", bool: "`true` or `false`", types.NoneType: "`null`"}
_SEVERAL = {"text": "texts", "block": "blocks"}
_BOUNDS = ((Ge, "from", "ge"), (Gt, "above", "gt"), (Le, "to", "le"), (Lt, "to below", "lt"))


@dataclass
class Block:
    """A table: a model of settings and the places in a recipe where it stands with the same defaults."""

    model: type[BaseModel]
    defaults: Mapping[str, Any]
    places: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The table's heading."""
        return ", ".join(f"`{place}`" for place in self.places) if self.places != [""] else "The blocks of a recipe"


def settings_tables() -> str:
    """A heading and a table for each block of a recipe, in the order of the recipe."""
    found = blocks()
    return "\n\n".join(_section(block, found) for block in found)


def blocks() -> list[Block]:
    """Every block of a recipe; those of one model with the same defaults are one, with several places."""
    found: list[Block] = []
    for place, model, stated in _walk("", Recipe, Recipe()):
        defaults = {name: _default(info, stated, name) for name, info in model.model_fields.items()}
        block = next((known for known in found if (known.model, known.defaults) == (model, defaults)), None)
        if block is None:
            found.append(block := Block(model, defaults))
        block.places.append(place)
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; neither a `|` in a cell nor a line's end in it ends the cell."""
    cells = [[" ".join(cell.replace("|", r"\|").split()) for cell in row] for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def as_yaml(value: Any) -> str:
    """A value as a recipe may state it, in one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    text = text.removesuffix("\n").removesuffix("\n...")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) and text != value else text


def _walk(
    place: str, model: type[BaseModel], stated: BaseModel | None
) -> Iterator[tuple[str, type[BaseModel], BaseModel | None]]:
    """Each block from `place` on, outer ones first, with its values by default; None where only a recipe makes one."""
    yield place, model, stated
    for name, info in model.model_fields.items():
        key, value = f"{place}.{name}".lstrip("."), _default(info, stated, name)
        if inner := _block_in(info.annotation):
            yield from _walk(key, inner, value if isinstance(value, BaseModel) else None)
        elif listed := _block_in(_item(info.annotation)):
            if isinstance(value, dict):
                for entry, default in value.items():
                    yield from _walk(f"{key}.{entry}", listed, default)
            else:
                yield from _walk(f"{key}[]", listed, None)


def _default(info: FieldInfo, stated: BaseModel | None, name: str) -> Any:
    return info.default if stated is None else getattr(stated, name)


def _section(block: Block, found: Sequence[Block]) -> str:
    rows = []
    for name, info in block.model.model_fields.items():
        inner = _block_at(f"{block.places[0]}.{name}".lstrip("."), found)
        key = f"[`{name}`](#{_anchor(inner.title)})" if inner else f"`{name}`"
        what = _either(_choices(info.annotation, info.metadata))
        rows.append((key, what, _shown(block.defaults[name]), _as_in_yaml(info.description or "")))
    about = " ".join((block.model.__doc__ or "").split())
    return f"## {block.title}\n\n{_as_in_yaml(about)}\n\n{table(('key', 'value', 'default', 'what it does'), rows)}"


def _block_at(key: str, found: Sequence[Block]) -> Block | None:
    """The block that stands at `key`, in a list there, or, the first of several, by a name there."""
    places = {place: block for block in found for place in block.places}
    named = (block for place, block in places.items() if place.startswith(f"{key}."))
    return places.get(key) or places.get(f"{key}[]") or next(named, None)


def _anchor(title: str) -> str:
    """What a heading is linked by, by GitHub's rule."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _as_in_yaml(text: str) -> str:
    return re.sub(r"\bNone\b", "`null`", text)


def _shown(default: Any) -> str:
    if default is PydanticUndefined:
        return "none: state it"
    if isinstance(default, BaseModel | dict):
        return "the block's"
    return f"`{as_yaml(_plain(default))}`"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _choices(annotation: Any, metadata: Sequence[Any] = ()) -> list[str]:
    """The kinds of value that may stand there, in words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _choices(arguments[0], [*_limits(arguments[1:]), *metadata])
    if origin is typing.Literal:
        return [f"`{choice}`" for choice in arguments]
    if origin in (typing.Union, types.UnionType):
        return [choice for argument in arguments for choice in _choices(argument, metadata)]
    if origin is tuple:
        least = ", one or more" if any(isinstance(limit, MinLen) for limit in metadata) else ""
        return [f"list of {_SEVERAL.get(item := _either(_choices(arguments[0])), item)}{least}"]
    if origin is dict:
        return [f"{_either(_choices(arguments[1]))} for {_either(_choices(arguments[0]))}"]
    return ["block" if _block_in(annotation) else _WORDS[annotation] + _range(metadata)]


def _limits(annotations: Sequence[Any]) -> list[Any]:
    """The constraints, also those within a `Field(...)`."""
    return [one for item in annotations for one in (item.metadata if isinstance(item, FieldInfo) else [item])]


def _range(metadata: Sequence[Any]) -> str:
    """Lower bound first."""
    return "".join(
        f" {word} {getattr(limit, name):.10g}"
        for kind, word, name in _BOUNDS
        for limit in metadata
        if isinstance(limit, kind)
    )


def _either(choices: Sequence[str]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def _item(annotation: Any) -> Any:
    """What a list or a mapping holds; None of anything else."""
    if typing.get_origin(annotation) not in (tuple, dict):
        return None
    return typing.get_args(annotation)[1 if typing.get_origin(annotation) is dict else 0]


def _block_in(annotation: Any) -> type[BaseModel] | None:
    """The block of settings that a key holds, or may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next((found for inner in typing.get_args(annotation) if (found := _block_in(inner))), None)
    return None
