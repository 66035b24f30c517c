"""What several processes are to do together, as files in a stage's work folder: any launcher may start them.

`job/job.json` says what, `job/*.jsonl` hold the rows; checkpoints, progress and results go beside, as those of a
process that trains alone do, so that a training may go on in another number of processes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from tradewind.config import EvaluateConfig, ModelConfig, TrainingConfig
from tradewind.errors import GpuBusyError, TemporaryError, UserError
from tradewind.files import write_atomically, write_jsonl
from tradewind.team import Device

FOLDER = "job"
TRAINED = "trained"
"""The folder of the trained weights: an adapter, or without one the whole model."""
_DESCRIPTION = "job.json"
_FAILURE = "failure.json"


class _Job(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    name: str
    """For the log: a stage's, or a model's."""
    source: str
    source_is_folder: bool
    """Else it is a hub's name."""
    model: ModelConfig
    processes: int
    device: Device

    @property
    def location(self) -> Path | str:
        """The model's folder or hub name."""
        return Path(self.source) if self.source_is_folder else self.source


class TrainJob(_Job):
    """A training; `rows.jsonl` are its rows, `validation.jsonl` those of which the loss is to be told, if any.

    It leaves the weights in `trained/`, the loss curve in `log.jsonl`, and its metrics in `job/metrics.json`.
    """

    kind: Literal["train"] = "train"
    config: TrainingConfig
    seed: int


class AnswerJob(_Job):
    """Answers to the prompts in `prompts.jsonl`: the process of rank R leaves its part, every N-th."""

    kind: Literal["answer"] = "answer"
    config: EvaluateConfig
    plan: dict[str, Any]
    """A `generation.plan.Plan`."""


Job = Annotated[TrainJob | AnswerJob, Field(discriminator="kind")]
_JOB: TypeAdapter[TrainJob | AnswerJob] = TypeAdapter(Job)


def write_job(work: Path, job: TrainJob | AnswerJob, **rows: Iterable[dict[str, Any]]) -> Path:
    """Put a job into a stage's work folder, in the place of an earlier one; returns `work/job`.

    Args:
        rows: by the name of their file.
    """
    folder = work / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, found in rows.items():
        write_jsonl(folder / f"{name}.jsonl", found)
    write_atomically(folder / _DESCRIPTION, job.model_dump_json(indent=1))
    return folder


def read_job(work: Path) -> TrainJob | AnswerJob:
    """The job in a stage's work folder."""
    return _JOB.validate_json((work / FOLDER / _DESCRIPTION).read_bytes())


class _Failure(BaseModel):
    exit_code: int
    text: str


def keep_failure(work: Path, error: UserError) -> None:
    """Leave for the stage what it is to tell the user; the first process that fails is the one to listen to."""
    folder = work / FOLDER
    if not (folder / _FAILURE).exists():
        write_atomically(folder / _FAILURE, _Failure(exit_code=error.exit_code, text=str(error)).model_dump_json())


def failure(work: Path) -> UserError | None:
    """What a process of the job left to be told."""
    path = work / FOLDER / _FAILURE
    if not path.exists():
        return None
    found = _Failure.model_validate_json(path.read_bytes())
    kinds = {kind.exit_code: kind for kind in (UserError, TemporaryError, GpuBusyError)}
    return kinds.get(found.exit_code, UserError)(found.text)


def answers_name(rank: int) -> str:
    """The file of a process's answers, in the job's folder."""
    return f"answers-{rank}.json"
