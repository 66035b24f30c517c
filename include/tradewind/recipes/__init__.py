"""Recipes: YAML files that state what differs from the defaults of `tradewind.config`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tradewind.config import Recipe, RunConfig
from tradewind.errors import UserError
from tradewind.files import path_of
from tradewind.sources.location import absolute
from tradewind.yaml_file import Key, fields_at, read_yaml

SHIPPED = Path(__file__).parent
OVERRIDE = "override (--set)"
"""The place of a fault in what stands above the recipe."""


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def resolve(recipe: str, data_dir: str | Path, seed: int = 42, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """The configuration of one run.

    Args:
        recipe: the name of a shipped recipe, or the path of a YAML file.
        data_dir: the folder of raw documents, made absolute, or `embedded:en`, the samples.
        overrides: dotted keys and their values, such as `{"finetune.learning_rate": 1e-4}`.

    Raises:
        UserError: one line that names the file, the line, the key and what to do.
    """
    path = _find(recipe)
    file = read_yaml(path, "recipe")
    stated: Mapping[str, Any] = file.stated
    for dotted, value in (overrides or {}).items():
        stated = _merge(stated, _nested(dotted.split("."), value))
    merged = _merge(Recipe().model_dump(), stated)
    own = {"recipe": path.stem, "data_dir": absolute(data_dir), "seed": seed}
    try:
        Recipe.model_validate(merged)  # alone: a recipe must not state what belongs to the run
        return RunConfig.model_validate(merged | own)
    except ValidationError as error:
        raise UserError(_one_line(error, path, file.lines, set(overrides or {}))) from error


def overridden(config: RunConfig, overrides: Mapping[str, Any]) -> RunConfig:
    """A resolved configuration with other values at some dotted keys; UserError as `resolve`'s."""
    if not overrides:
        return config
    changed: Mapping[str, Any] = config.model_dump()
    for dotted, value in overrides.items():
        changed = _merge(changed, _nested(dotted.split("."), value))
    try:
        return RunConfig.model_validate(changed)
    except ValidationError as error:
        raise UserError(_one_line(error, Path(config.recipe), {}, set(overrides))) from error


def read_config(path: Path) -> RunConfig:
    """A resolved configuration that `resolve` made and a run directory or an operator kept as JSON."""
    try:
        return RunConfig.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; name it with --config, or give --recipe and --data") from error
    except ValidationError as error:
        raise UserError(_one_line(error, path, {}, set())) from error


def _find(recipe: str) -> Path:
    if recipe in shipped_recipes():
        return SHIPPED / f"{recipe}.yaml"
    path = path_of(recipe)
    if path.suffix in {".yaml", ".yml"}:
        if path.is_file():
            return path
        raise UserError(f"{recipe}: no such recipe file; name a shipped one ({', '.join(shipped_recipes())}) or a path")
    near = difflib.get_close_matches(recipe, shipped_recipes(), n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"shipped are {', '.join(shipped_recipes())}"
    raise UserError(f"recipe '{recipe}': unknown; {hint} (one of your own is named by its path, ending in .yaml)")


def _nested(keys: Sequence[str], value: Any) -> dict[str, Any]:
    return {keys[0]: value if len(keys) == 1 else _nested(keys[1:], value)}


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _one_line(error: ValidationError, path: Path, lines: Mapping[Key, int], overridden: set[str]) -> str:
    errors = error.errors()
    # A misspelt key leaves the right one missing: what is unknown says more.
    first = next((fault for fault in errors if fault["type"] == "extra_forbidden"), errors[0])
    key = first["loc"]
    dotted = ".".join(str(part) for part in key)
    place = _place(key, path, lines, overridden)
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(key[-1]), fields_at(RunConfig, key[:-1]), n=1)
        return f"{place}: {dotted}: unknown key" + (f"; did you mean '{near[0]}'?" if near else "")
    if "api_key_env" in key:  # what stands there is likely the key
        return f"{place}: {dotted}: write the NAME of an environment variable, not the key; such as OPENAI_API_KEY"
    got = "" if isinstance(first["input"], dict | bytes) else f" (got {first['input']!r})"
    return f"{place}: {dotted or 'recipe'}: {first['msg']}{got}"


def _place(key: Key, path: Path, lines: Mapping[Key, int], overridden: set[str]) -> str:
    """Where a key was stated; of one that was not, where the deepest block about it was."""
    stated = {tuple(dotted.split(".")) for dotted in overridden}
    for end in range(len(key), 0, -1):
        block = tuple(map(str, key[:end]))
        if block in stated:
            return OVERRIDE
        if key[:end] in lines:
            return f"{path}:{lines[key[:end]]}"
        if any(other[:end] == block for other in stated):
            return OVERRIDE
    return str(path)
