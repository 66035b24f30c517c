"""Pipelines to start from."""

from __future__ import annotations

from pathlib import Path

from tradewind.errors import UserError
from tradewind.files import path_of
from tradewind.yaml_file import nearest

_SHIPPED = Path(__file__).parent
_ENDINGS = {".yaml", ".yml"}


def shipped_templates() -> dict[str, Path]:
    """The templates that come with the package, by name."""
    return {path.stem: path for path in sorted(_SHIPPED.glob("*.yaml"))}


def find(name: str) -> Path:
    """The file of a template's name, or of a path; UserError where it is neither."""
    shipped = shipped_templates()
    if name in shipped:
        return shipped[name]
    path = path_of(name)
    if path.suffix in _ENDINGS:
        return path
    raise UserError(f"'{name}': is neither a YAML file nor a template{nearest(name, shipped)}")
