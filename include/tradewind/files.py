"""Reading and writing the files of a run."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tradewind.errors import UserError


def path_of(name: str) -> Path:
    """What somebody wrote as a path, `~` being a home; UserError where it can be none."""
    if "\0" in name:
        raise UserError(f"{name!r}: is no path: it holds a NUL; write the whole path")
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise UserError(f"{name!r}: is no path: {str(error).removesuffix('.')}; write the whole path") from error


def sha256_of(path: Path) -> str:
    """The hex digest of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Write `text` so that a reader sees the old file or the whole new one, also after a power cut."""
    # Not named by the process: in two containers two processes have one number.
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with beside.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """One JSON object a line, text as it is (not escaped); returns the number of rows."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def iter_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file that `write_jsonl` made, one at a time."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The rows of a file that `write_jsonl` made."""
    return list(iter_jsonl(path))
