"""One version of a model: what stands in its folder, and whether it still does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tradewind.errors import UserError
from tradewind.files import sha256_of
from tradewind.registry.gate import Decision
from tradewind.results import Contract
from tradewind.scores import Verdict
from tradewind.store.mirror import complete

RECORD, MODEL, CARD, CONFIG = "version.json", "model", "README.md", "config.json"
REPORTS = ("report.json", "report.html")
CHAMPION_INPUT = "champion/model"
"""The input of `evaluate` that says, by its hash, which champion a run was compared with."""


class FileSum(Contract):
    """A file as it was when the version was made."""

    sha256: str
    bytes: int

    @classmethod
    def of(cls, path: Path) -> FileSum:
        """Read the file."""
        return cls(sha256=sha256_of(path), bytes=path.stat().st_size)


class VersionRecord(Contract):
    """`version.json`: where a model comes from, what it is worth and how to tell that it is whole."""

    schema_version: Literal[1] = 1
    name: str
    made_at: str
    run: str
    """The run's folder name."""
    dag_id: str
    recipe: str
    base_model: str
    seed: int
    data: dict[str, str]
    """The prepared files' names to their sha256, from `prepare/result.json`: the data's fingerprint."""
    model_sha256: str
    """Of the folder `model`, as `Artifact` counts it: the same model has the same in every run and version."""
    files: dict[str, FileSum]
    """Every file of the version but this one."""
    verdict: Verdict
    verdict_reason: str
    decision: Decision
    approval: bool
    """Whether a human has to approve what the gate lets through."""
    parent: str | None
    """The champion when the gate decided."""


@dataclass(frozen=True)
class Version:
    """A published version."""

    path: Path
    record: VersionRecord

    @classmethod
    def read(cls, path: Path) -> Version:
        """Read `version.json`; UserError with one line where it is absent or not ours."""
        file = path / RECORD
        try:
            return cls(path, VersionRecord.model_validate_json(file.read_bytes()))
        except FileNotFoundError as error:
            raise UserError(f"{file}: no such file; remove the folder, or restore it from a copy") from error
        except ValidationError as error:
            raise UserError(f"{file}: {error.errors()[0]['msg']}; restore it from a copy") from error

    @property
    def name(self) -> str:
        """`v7`."""
        return self.record.name

    @property
    def model(self) -> Path:
        """The merged model's folder."""
        return self.path / MODEL

    def verify(self) -> None:
        """Read every file again.

        Raises:
            UserError: the first that is missing, too many, or has changed.
        """
        complete(self.path)
        for name, made in self.record.files.items():
            file = self.path / name
            if not file.is_file():
                raise UserError(f"{file}: is missing; {self.name} cannot be used, choose another version")
            if FileSum.of(file) != made:
                raise UserError(f"{file}: has changed since it was registered; {self.name} cannot be used, "
                                "choose another version")  # fmt: skip
        for file in self.model.rglob("*"):
            if not file.is_dir() and file.relative_to(self.path).as_posix() not in self.record.files:
                raise UserError(f"{file}: was not there when {self.name} was registered; remove it")
