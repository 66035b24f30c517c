"""What the documents are, by one hash: whether tonight's are last night's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from tradewind.config import RunConfig
from tradewind.extraction.documents import digest, texts
from tradewind.results import Artifact
from tradewind.reuse.hashes import FileHashes
from tradewind.sources.folder import FORMATS, files_of, unknown_files
from tradewind.sources.hub import folder_of
from tradewind.sources.location import check_folder, locate_documents
from tradewind.sources.record import Rejected

DOCUMENTS = "documents"
"""The input of `prepare` and `extract` that stands for them."""


def documents_of(config: RunConfig, hashes: FileHashes) -> Artifact:
    """Every file that `prepare` reads, by name and content, and every one that it tells as not read, by name.

    Datasets of the recipe that are folders count with all their files; those of the hub are named in the settings.

    Raises:
        UserError: there is no such folder.
    """
    data_dir = locate_documents(config.data_dir)
    check_folder(data_dir)
    lines, size = [], 0
    for name, path in _read(data_dir, config):
        lines.append(f"{name} {hashes.of(path)}\n")
        size += path.stat().st_size
    lines += [
        f"{item.file} {item.reason}\n"
        for item in unknown_files(data_dir, config.data)
        if isinstance(item, Rejected)
    ]  # fmt: skip
    return _artifact(config, hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest(), size)


def texts_of(config: RunConfig, hashes: FileHashes) -> Artifact:
    """The running text alone: all that `extract` reads."""
    data_dir = locate_documents(config.data_dir)
    check_folder(data_dir)
    return _artifact(config, digest(data_dir, hashes.of), sum(path.stat().st_size for path in texts(data_dir)))


def _read(data_dir: Path, config: RunConfig) -> Iterator[tuple[str, Path]]:
    for folder in FORMATS:
        yield from ((name, path) for path, name in files_of(data_dir, folder))
    for dataset in config.data.datasets:
        saved = folder_of(data_dir, dataset)
        if saved.is_dir():
            files = sorted(path for path in saved.rglob("*") if path.is_file())
            yield from ((f"{dataset.path}: {path.relative_to(saved).as_posix()}", path) for path in files)


def _artifact(config: RunConfig, sha256: str, size: int) -> Artifact:
    return Artifact(path=config.data_dir, sha256=sha256, bytes=size)
