"""`TRADEWIND_HOME` as a folder: itself, or the local cache of a bucket's."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from tradewind.errors import UserError
from tradewind.files import path_of, write_atomically

CACHE_VARIABLE = "TRADEWIND_CACHE"
LIMIT_VARIABLE = "TRADEWIND_CACHE_GB"
MARKER = ".bucket"
"""The file in a cache's folder that holds the address of what it is a cache of."""
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)")
_ONE_SLASH = re.compile(r"(s3|s3a|gs|gcs):(?!//)", re.IGNORECASE)
_DEFAULT_GB = 50.0


def is_address(text: str) -> bool:
    """Whether this names a bucket: `s3://bucket/prefix`."""
    return bool(_ADDRESS.fullmatch(text))


def home_of(stated: str, cache: Path | None = None) -> Path:
    """The folder that stages, pages and commands work with; asks no server.

    Args:
        cache: where buckets' contents are kept; None: `cache_folder`.

    Raises:
        UserError: the address names no bucket, or holds something secret.
    """
    if _ONE_SLASH.match(stated):
        raise UserError(f"{stated}: is no bucket's address; write it as s3://bucket/prefix")
    if not is_address(stated):
        return path_of(stated)
    address = checked_address(stated)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", address.partition("://")[2])[:60].strip(".-")
    folder = (cache or cache_folder()) / f"{name}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"
    if not (folder / MARKER).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / MARKER, f"{address}\n")
    return folder


def checked_address(stated: str) -> str:
    """The address without what makes two spellings of one."""
    found = _ADDRESS.fullmatch(stated)
    scheme, rest = found.groups() if found else ("", stated)
    bucket, *prefix = rest.split("/")
    parts = [part for part in prefix if part]
    shown = f"{scheme}://{rest.rpartition('@')[2]}"
    if "@" in bucket or "?" in rest or "#" in rest:
        raise UserError(f"{shown}: an address holds no key and no options; set the variables that the bucket's "
                        "library reads, see docs/storage.md")  # fmt: skip
    if not bucket or "\0" in rest or ".." in parts or "." in parts:
        raise UserError(f"{shown}: is no bucket's address; write it as s3://bucket/prefix")
    return f"{scheme}://{'/'.join([bucket, *parts])}"


def cache_folder() -> Path:
    """Where buckets' contents are kept on this machine: `TRADEWIND_CACHE`, or below Airflow's home or the user's."""
    stated = os.environ.get(CACHE_VARIABLE)
    if stated:
        return path_of(stated).absolute()
    airflow = os.environ.get("AIRFLOW_HOME")
    if airflow:
        return path_of(airflow).absolute() / "tradewind-cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute() / "tradewind" / "homes"


def cache_limit() -> int:
    """How many bytes of a bucket's content may be kept here; 0: no limit.

    Raises:
        UserError: the variable holds no number.
    """
    stated = os.environ.get(LIMIT_VARIABLE) or str(_DEFAULT_GB)
    try:
        limit = float(stated)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < 1e9:
        raise UserError(f"{LIMIT_VARIABLE}: '{stated}' is no size; give gigabytes, such as 50, or 0 for no limit")
    return int(limit * 1e9)
