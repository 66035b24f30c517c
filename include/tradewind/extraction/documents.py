"""The running text that pairs are drawn from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tradewind.config import DataConfig
from tradewind.files import sha256_of
from tradewind.sources import iter_documents
from tradewind.sources.record import Passage

_FOLDER = "transcript_data"


def unextracted(data_dir: Path, config: DataConfig) -> list[Passage]:
    """The passages of every text whose pairs are not there already, as `success/<its name>.jsonl`.

    Raises:
        UserError: as `iter_documents` does.
    """
    done = {path.stem for path in (data_dir / _FOLDER / "success").glob("*.jsonl")}
    found = (item for item in iter_documents(data_dir, config) if isinstance(item, Passage))
    return [passage for passage in found if Path(passage.file).stem not in done]


def digest(data_dir: Path) -> str:
    """A hash of the names and bytes of all texts, so that pairs drawn from others are told apart."""
    files = sorted(path for path in (data_dir / _FOLDER).rglob("*") if path.is_file())
    lines = [f"{path.relative_to(data_dir).as_posix()} {sha256_of(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
