"""The machines and GPUs that a task's stage is spread over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tradewind.stages import TRAININGS, WITH_TEAM, Stage


@dataclass(frozen=True)
class Cluster:
    """`gpus` on each of `nodes` machines; the stage's work with the model is shared by as many processes."""

    nodes: int
    gpus: int

    @classmethod
    def of(cls, stated: Mapping[str, int], stage: Stage, gpus: int = 0, *, on_ray: bool = False) -> Cluster:
        """What a task states, such as `{"nodes": 1, "gpus": 4}`.

        Args:
            gpus: what the task states beside it; 0: nothing.
            on_ray: the task is a job of a Ray cluster.

        Raises:
            TypeError: it is no such mapping, contradicts `gpus`, or the stage has no model.
            ValueError: there are several machines, which one stage's process cannot spread over.
        """
        if not isinstance(stated, Mapping) or set(stated) != {"nodes", "gpus"}:
            raise TypeError(f"cluster is such as {{'nodes': 1, 'gpus': 2}}, not {stated!r}")
        for name, value in stated.items():
            least = 1 if name == "nodes" else 0
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise TypeError(f"cluster: {name} is how many, such as {least + 1}, not {value!r}")
        found = cls(**stated)
        if found.nodes > 1 and not on_ray:
            raise ValueError(
                f"cluster: a task has the GPUs of one machine; nodes is 1, not {found.nodes}; several are a Ray "
                "cluster's (RayFinetuneOperator and its like)"
            )
        if gpus not in (0, found.gpus):
            raise TypeError(f"cluster says {found.gpus} GPUs and gpus {gpus}; state one of them")
        if stage not in WITH_TEAM:
            raise TypeError(f"cluster is for the stages {', '.join(WITH_TEAM)}, not {stage}")
        return found

    @property
    def processes(self) -> int:
        """That share the work: one a GPU, and one on a machine where there is none."""
        return self.nodes * max(1, self.gpus)


def processes_of(tasks: Iterable[Any]) -> dict[Stage, int]:
    """How many processes share each training of a DAG's tasks; mapped ones are left out, and what others' tasks are."""
    trainings = [task for task in tasks if getattr(task, "stage", None) in TRAININGS]
    return {task.stage: task.processes for task in trainings if hasattr(task, "processes")}
