"""The JSON contract between stages and tasks: what a stage made, from what, and how."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tradewind.errors import UserError
from tradewind.files import sha256_of
from tradewind.shard import WHOLE, Shard
from tradewind.stages import Stage


class Contract(BaseModel):
    """A JSON document that another process reads: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Artifact(Contract):
    """A file or folder of a run directory, by its path below it."""

    path: str
    sha256: str
    """Of a file's bytes, or `folder_digest`."""
    bytes: int

    @classmethod
    def of(cls, path: Path, run_dir: Path) -> Artifact:
        """Hash what stands at `path`, a file or a folder somewhere below `run_dir`."""
        if not path.exists():
            raise FileNotFoundError(2, "no such output", str(path))
        if path.is_file():
            digest, size = sha256_of(path), path.stat().st_size
        else:
            files = [inner for inner in path.rglob("*") if inner.is_file()]
            digest = folder_digest({inner.relative_to(path): sha256_of(inner) for inner in files})
            size = sum(inner.stat().st_size for inner in files)
        return cls(path=path.relative_to(run_dir).as_posix(), sha256=digest, bytes=size)


class PeakMemory(Contract):
    """What a stage's process needed at most, in bytes."""

    host: int
    gpu: int | None = None
    """Of torch's tensors, on all GPUs together; None where it used none."""

    def __str__(self) -> str:
        """Such as `812 MiB, GPU 14,336 MiB`."""
        return f"{_mib(self.host)}" + ("" if self.gpu is None else f", GPU {_mib(self.gpu)}")


def _mib(number: int) -> str:
    return f"{number / 2**20:,.0f} MiB"


def folder_digest(files: Mapping[PurePath, str]) -> str:
    """A folder's hash, from its files' paths below it and their hashes."""
    lines = [f"{path.as_posix()} {files[path]}\n" for path in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


class StageResult(Contract):
    """What a stage publishes as `result.json`, and all that travels through XCom."""

    schema_version: Literal[1] = 1
    job_id: str | None = None
    """`TRADEWIND_JOB_ID` of the process that made it: `<dag_id>/<run_id>`; None outside of Airflow."""
    task_id: str | None = None
    """`TRADEWIND_TASK_ID`: `<task_id>/<try>`, so that a result of another try is told apart."""
    stage: Stage
    shard: str | None = None
    """`2/8` where several tasks divide the stage's work, or try it with several settings."""
    status: Literal["success", "cached", "skipped"] = "success"
    """`cached`: another run's result stands here, as nothing that decides it has changed."""
    reason: str | None = None
    """Why a stage was skipped."""
    source_run: str | None = None
    """The folder name of the run that made what stands here; None where this run did."""
    started_at: str
    seconds: float
    gpu_seconds: float = 0.0
    peak_memory_bytes: PeakMemory | None = None
    """None where no process made it, or one that did not look yet."""
    seed: int
    config: dict[str, Any]
    versions: dict[str, str]
    inputs: dict[str, Artifact] = {}
    outputs: dict[str, Artifact] = {}
    metrics: dict[str, Any] = {}
    warnings: tuple[str, ...] = ()
    resumed_from_step: int | None = None

    @property
    def is_left_out(self) -> bool:
        """Whether nothing stands here: the stage was skipped, and no earlier result stands in for it."""
        return self.status == "skipped" and not self.outputs

    @property
    def folder(self) -> str:
        """The name of the folder in the run that it was published as."""
        return self.stage if self.shard is None else Shard.parse(self.shard).folder(self.stage)

    @property
    def hashes(self) -> dict[str, str]:
        """Of the outputs, by their names."""
        return {name: artifact.sha256 for name, artifact in self.outputs.items()}

    def placed_as(self, shard: Shard) -> dict[str, Any]:
        """What changes where it stands as another shard, or as the whole."""
        folder = shard.folder(self.stage)
        moved = {name: item.model_copy(update={"path": f"{folder}/{name}"}) for name, item in self.outputs.items()}
        return {"shard": None if shard == WHOLE else str(shard), "outputs": moved}


def read_result(path: Path) -> StageResult:
    """Read and check a `result.json`; UserError with one line where it is absent or not ours."""
    try:
        return StageResult.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run the stage '{path.parent.name}' first") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path}: {place + ': ' if place else ''}{first['msg']}; run the stage '{path.parent.name}' again"
        ) from error
