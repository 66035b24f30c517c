"""What a unit holds: its files with their hashes, and which parts of the store make them up."""

from __future__ import annotations

import base64
import builtins
import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, ValidationError, model_validator

from tradewind.errors import UserError
from tradewind.results import Contract

RESULT, RECORD = "result.json", "version.json"
TASKS = "tasks"
"""The folder of a run whose folders are what tasks of anyone's image have left."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NEVER = re.compile("[\\\\\0\ud800-\udfff]")


def inside(path: str) -> str:
    """A path that leads out of the folder it is put into is refused, however it is written, and what is no text."""
    parts = PurePosixPath(path).parts
    clean = path and path == "/".join(parts) and not path.startswith("/") and not {"..", "."} & set(parts)
    if not clean or _NEVER.search(path):
        raise ValueError(f"{path!r} is no path below a folder")
    return path


def _digest(text: str) -> str:
    if not _SHA256.fullmatch(text):
        raise ValueError("is no sha256")
    return text


Inside = Annotated[str, AfterValidator(inside)]
Digest = Annotated[str, AfterValidator(_digest)]


class Part(Contract):
    """Some bytes of a file, kept under their hash."""

    sha256: Digest
    bytes: int

    @property
    def key(self) -> str:
        """Where they are kept."""
        return f"blobs/{self.sha256[:2]}/{self.sha256}"


class StoredFile(Contract):
    """A file of a unit."""

    path: Inside
    sha256: Digest
    bytes: int
    mtime_ns: int
    """Of two results that fit the newer one is taken."""
    inline: str | None = None
    """A small file's bytes, as base64."""
    parts: tuple[Part, ...] = ()
    executable: bool = False

    @model_validator(mode="after")
    def _whole(self) -> StoredFile:
        size = sum(part.bytes for part in self.parts)
        if self.inline is None and size != self.bytes:
            raise ValueError(f"{self.path}: its parts are {size} bytes, not {self.bytes}")
        return self

    def content(self) -> builtins.bytes:
        """A small file's bytes.

        Raises:
            ValueError: they are not those that were published.
        """
        data = base64.b64decode(self.inline or "", validate=True)
        if len(data) != self.bytes or hashlib.sha256(data).hexdigest() != self.sha256:
            raise ValueError(f"{self.path}: its bytes do not have its hash")
        return data


class Manifest(Contract):
    """Written when all of the parts are there; a reader that has it has the whole unit."""

    schema_version: Literal[1] = 1
    unit: Inside
    """The path below the home, of a folder or of one file."""
    is_folder: bool
    made_at: str
    id: str
    """Of two manifests with equal files each has its own."""
    files: tuple[StoredFile, ...]
    mark: StoredFile | None = None
    """Of a task's folder, which holds whatever its image has left: the file beside it, see `mark_of`."""

    @model_validator(mode="after")
    def _marked(self) -> Manifest:
        if (self.mark is not None) != is_task(self.unit) or (self.mark is not None and self.mark.inline is None):
            raise ValueError("a task's folder has a mark with its bytes, and nothing else has one")
        return self

    @model_validator(mode="after")
    def _once(self) -> Manifest:
        paths = [file.path for file in self.files]
        if len(set(paths)) != len(paths):
            raise ValueError("a path stands in it twice")
        if not self.is_folder and len(paths) != 1:
            raise ValueError("a file's manifest holds one file")
        folders = {str(folder) for path in paths for folder in PurePosixPath(path).parents}
        if folders & set(paths):
            raise ValueError("a path is a file and a folder")
        return self

    @property
    def identity(self) -> str:
        """The hash of the file that tells one state of the unit from another."""
        return self._told_by.sha256

    @property
    def says(self) -> builtins.bytes:
        """The bytes of that file, where they stand in the manifest."""
        return self._told_by.content() if self._told_by.inline is not None else b""

    @property
    def _told_by(self) -> StoredFile:
        if self.mark is not None:
            return self.mark
        names = {file.path: file for file in self.files}
        return next((names[name] for name in (RESULT, RECORD) if name in names), self.files[0])

    @property
    def large(self) -> tuple[StoredFile, ...]:
        """The files that are fetched when they are asked for."""
        return tuple(file for file in self.files if file.inline is None)


def is_task(unit: str) -> bool:
    """Whether it is the folder of a task of anyone's image."""
    parts = unit.split("/")
    return len(parts) == 5 and parts[3] == TASKS


def mark_of(folder: Path) -> Path:
    """The file beside a task's folder that tells which try has made it; written when the folder is whole."""
    return folder.with_name(f".{folder.name}.made")


def sealed(text: str) -> bytes:
    """A document with its own hash before it."""
    return f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}".encode()


def unsealed(data: bytes) -> str:
    """The document; ValueError where it is cut or changed."""
    digest, _, text = data.partition(b"\n")
    if hashlib.sha256(text).hexdigest().encode() != digest:
        raise ValueError("its bytes do not have its hash")
    return text.decode()


def read_manifest(text: str, place: str) -> Manifest:
    """Check a manifest; UserError that says what of it is not to be trusted."""
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        newer = next((fault["input"] for fault in error.errors() if fault["loc"] == ("schema_version",)), None)
        if isinstance(newer, int) and newer > 1:
            raise UserError(f"{place}: was written by a newer tradewind (form {newer}); update this one") from error
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{place}: {where + ': ' if where else ''}{first['msg']}; nothing of it was fetched: "
                        "remove it, and make the stage again") from error  # fmt: skip
