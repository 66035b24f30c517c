"""The YAML that a run was started with: kept in the run's folder by its first task, and not changed after."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tradewind.errors import UserError
from tradewind.files import write_atomically
from tradewind.pipeline.git import commit_of
from tradewind.results import Contract
from tradewind.store.mirror import mirror_of

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
        UserError: what was kept is damaged, or the home's bucket refuses.
        TemporaryError: the bucket does not answer.
    """
    kept, record = run_dir / _YAML, run_dir / _RECORD
    _agree(kept, lambda: text)
    _agree(record, lambda: _record(kept.read_bytes().decode(), source))  # as it is, ends of lines included
    return read(run_dir)


def _agree(path: Path, text: Callable[[], str]) -> None:
    """Of two tasks that start together the first one's text counts for both, on whichever workers they are."""
    mirror = mirror_of(path.absolute())
    if mirror is not None:
        mirror.agree(path.absolute(), text)
        return
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    write_atomically(beside, text())
    with suppress(FileExistsError):
        os.link(beside, path)
    beside.unlink()


def _record(text: str, source: Path) -> str:
    return Snapshot(file=source.name, sha256=digest(text), commit=commit_of(source, text)).model_dump_json(indent=1)


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
