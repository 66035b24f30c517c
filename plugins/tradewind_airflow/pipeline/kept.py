"""What a run's tasks do with the YAML it was started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradewind.errors import UserError
from tradewind.pipeline.read import parse_pipeline
from tradewind.pipeline.snapshot import digest, keep
from tradewind_airflow import macros
from tradewind_airflow.pipeline.arguments import image_arguments

if TYPE_CHECKING:
    from airflow.sdk import Context


@dataclass(frozen=True)
class KeepPipeline:
    """A task's `on_execute_callback`: the run keeps the YAML, if it keeps none yet."""

    text: str
    file: Path

    def __call__(self, context: Context) -> None:
        """Keep it in the folder of the context's run."""
        ti = context["ti"]
        keep(Path(macros.run_dir(ti.dag_id, ti.run_id)), self.text, self.file)


@dataclass(frozen=True)
class Kept:
    """Gives a task of anyone's image the arguments that the run was started with."""

    text: str
    file: Path

    def __call__(self, run_dir: Path, task_id: str) -> Mapping[str, Any]:
        """Keep the YAML if the run keeps none yet, and read the task's arguments from what it keeps.

        Raises:
            UserError: the run was started before there was such a task.
        """
        text = keep(run_dir, self.text, self.file)
        pipeline = parse_pipeline(text, self.file).pipeline
        task = pipeline.task(task_id)
        if task is None or task.image is None or task.uses is not None:
            raise UserError(
                f"{self.file.name}: task '{task_id}' is not of the pipeline that this run was started with "
                f"(sha256 {digest(text)[:12]}, kept as pipeline.yaml in the run); trigger a new run"
            )
        return image_arguments(task, pipeline)
