"""How a task's container is named and labelled, so that any worker of the host finds it again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tradewind
from tradewind_airflow.gpus import Gpu

if TYPE_CHECKING:
    from airflow.sdk import Context

JOB, TASK, GENERATION, GPUS = "tradewind.job", "tradewind.task", "tradewind.generation", "tradewind.gpus"
FOLDER = "tradewind.folder"


@dataclass(frozen=True)
class Identity:
    """One task instance of one run."""

    job_id: str
    """`<dag_id>/<run_id>`."""
    task_id: str
    """`<task_id>/<try>`; of a mapped task `<task_id>[<index>]/<try>`."""
    generation: int
    """Another one after each clear: a retry of the same generation may take over what a try before it made or runs."""
    owner: str
    """This very try, unlike any other's."""

    @classmethod
    def of(cls, context: Context) -> Identity:
        """Read it from a task's context."""
        ti = context["ti"]
        index = getattr(ti, "map_index", -1)
        mapped = f"[{index}]" if index is not None and index >= 0 else ""
        return cls(
            job_id=f"{ti.dag_id}/{ti.run_id}",
            task_id=f"{ti.task_id}{mapped}/{ti.try_number}",
            generation=(getattr(context.get("dag_run"), "clear_number", 0) or 0) + _tries_before(ti),
            owner=str(getattr(ti, "id", f"{ti.run_id}/{ti.task_id}{mapped}/{ti.try_number}")),
        )

    @property
    def dag_id(self) -> str:
        """The DAG of the run."""
        return self.job_id.partition("/")[0]

    @property
    def task(self) -> str:
        """The task without its try."""
        return self.task_id.rpartition("/")[0]

    @property
    def number(self) -> int:
        """Which try this is, from 1."""
        return try_number(self.task_id)

    def environment(self) -> dict[str, str]:
        """What tells a stage, and whoever reads its log, which task it is."""
        return {"TRADEWIND_JOB_ID": self.job_id, "TRADEWIND_TASK_ID": self.task_id}

    def container_name(self, place: str) -> str:
        """One name for all tries of a task, so that the engine itself refuses a second container.

        Args:
            place: of the run: its folder as the host names it, or its address in a bucket. Two Airflows on one host
                differ in it.
        """
        readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{self.dag_id}-{self.task}")[:60]
        return f"tradewind-{readable}-{hashlib.sha256(f'{place} {self.task}'.encode()).hexdigest()[:12]}"

    def labels(self, gpus: Sequence[Gpu]) -> dict[str, str]:
        """What the container says about itself."""
        return {
            JOB: self.job_id,
            TASK: self.task_id,
            GENERATION: str(self.generation),
            GPUS: ",".join(gpu.id for gpu in gpus),
            "tradewind.version": tradewind.__version__,
        }


def _tries_before(ti: Any) -> int:
    """How many tries the task had when it was last cleared; a clear that leaves the run as it is shows only here."""
    return max(0, (getattr(ti, "max_tries", 0) or 0) - (getattr(getattr(ti, "task", None), "retries", 0) or 0))


def try_number(task_id: str) -> int:
    """The try in a `TRADEWIND_TASK_ID`."""
    return int(task_id.rpartition("/")[2])


def label(container: Mapping[str, Any], name: str) -> str:
    """A label of an inspected container, empty where it has none of the name."""
    return str((container["Config"].get("Labels") or {}).get(name, ""))
