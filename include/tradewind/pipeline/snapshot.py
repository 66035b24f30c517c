"""The YAML that a run was started with: kept in the run's folder by its first task, and not changed after."""

from __future__ import annotations

import hashlib
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tradewind.errors import UserError
from tradewind.files import write_atomically
from tradewind.pipeline.git import commit_of
from tradewind.results import Contract

_YAML, _RECORD = "pipeline.yaml", "pipeline.json"


class Snapshot(Contract):
    """`pipeline.json`, beside `pipeline.yaml`."""

    schema_version: Literal[1] = 1
    file: str
    """The YAML's name, without its folder."""
    sha256: str
    commit: str | None
    """The git commit that holds just this text; None where none does."""


def keep(run_dir: Path, text: str, source: Path) -> str:
    """The text that the run goes by: what an earlier task of it kept, else `text`, which is kept now.

    Args:
        source: the file that `text` was read from.

    Raises:
        UserError: what was kept is damaged.
    """
    kept = run_dir / _YAML
    if not kept.exists():
        run_dir.mkdir(parents=True, exist_ok=True)
        beside = run_dir / f".{_YAML}.{uuid.uuid4().hex}"
        write_atomically(beside, text)
        # Of two tasks that start together the first one's counts, for both.
        with suppress(FileExistsError):
            os.link(beside, kept)
        beside.unlink()
    if not (run_dir / _RECORD).exists():
        found = kept.read_bytes().decode()  # as it is, ends of lines included
        record = Snapshot(file=source.name, sha256=digest(found), commit=commit_of(source, found))
        write_atomically(run_dir / _RECORD, record.model_dump_json(indent=1))
    return read(run_dir)


def read(run_dir: Path) -> str:
    """The kept text; UserError where it is not what was kept."""
    try:
        text = (run_dir / _YAML).read_bytes().decode()
        record = Snapshot.model_validate_json((run_dir / _RECORD).read_bytes())
    except (ValidationError, UnicodeDecodeError) as error:
        raise UserError(f"{run_dir / _RECORD}: is damaged; trigger a new run") from error
    if digest(text) != record.sha256:
        raise UserError(f"{run_dir / _YAML}: was changed after the run began; trigger a new run")
    return text


def digest(text: str) -> str:
    """The SHA-256 of a YAML's text."""
    return hashlib.sha256(text.encode()).hexdigest()
