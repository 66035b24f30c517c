"""What of a hub's model stands on this disk, and its `config.json` where none does."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tradewind.errors import UserError
from tradewind.files import path_of

LIMIT = 5.0
"""Seconds that the hub has for one answer."""


def endpoint() -> str:
    """The hub's address."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def is_offline() -> bool:
    """Whether the hub may not be asked."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def hub_cache() -> Path:
    """Where stages keep what they download: by `TRADEWIND_MODEL_CACHE` or the hub's own variables."""
    environment = os.environ.get
    if stated := environment("TRADEWIND_MODEL_CACHE"):
        return path_of(stated) / "hub"
    if stated := environment("HF_HUB_CACHE"):
        return path_of(stated)
    cache = environment("XDG_CACHE_HOME") or "~/.cache"
    return path_of(environment("HF_HOME") or f"{cache}/huggingface") / "hub"


def cached_folder(name: str, revision: str | None) -> Path | None:
    """The snapshot of a model with its configuration; None where it was never downloaded."""
    folder = hub_cache() / f"models--{name.replace('/', '--')}"
    try:
        commit = (folder / "refs" / (revision or "main")).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        commit = revision or ""
    snapshot = folder / "snapshots" / commit
    return snapshot if commit and (snapshot / "config.json").is_file() else None


def has_weights(folder: Path | None) -> bool:
    """Whether a snapshot holds weights, too."""
    return folder is not None and any(folder.glob("*.safetensors"))


def config_of(name: str, revision: str | None) -> Mapping[str, Any]:
    """The hub's `config.json` of a model, read into memory: nothing is left in the cache.

    Raises:
        UserError: it cannot be had, for whichever reason.
    """
    if is_offline():
        raise UserError(f"model '{name}': its size cannot be told (HF_HUB_OFFLINE is set)")
    try:
        from huggingface_hub import get_session, hf_hub_url
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented

        answer = get_session().get(
            hf_hub_url(name, "config.json", revision=revision, endpoint=endpoint()),
            headers=build_hf_headers(),
            timeout=LIMIT,
            follow_redirects=True,
        )
        answer.raise_for_status()
        found = json.loads(answer.text)
    except Exception as error:  # its HTTP client, and so what it raises, is another in each of its releases
        raise UserError(f"model '{name}': its size cannot be told ({type(error).__name__})") from error
    if not isinstance(found, dict):
        raise UserError(f"model '{name}': its size cannot be told (its config.json is none)")
    return found
