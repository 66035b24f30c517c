"""What stands in a run's folder, and which run made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tradewind.errors import UserError
from tradewind.results import StageResult, read_result
from tradewind.stages import STAGES
from tradewind_airflow.notifications.links import run_name

_MODEL_STAGES = ("prepare", "adapt", "finetune", "evaluate")
"""What a model and its scores come from."""


@dataclass(frozen=True)
class Outcome:
    """The results of a run, in the stages' order."""

    results: tuple[StageResult, ...]

    @classmethod
    def read(cls, run_dir: Path, job_id: str) -> Outcome:
        """Gather those that this run published; one that cannot be read is no result."""
        found = []
        for path in run_dir.glob("[!.]*/result.json"):
            try:
                result = read_result(path)
            except UserError:
                continue
            if result.job_id in (job_id, None):
                found.append(result)
        return cls(tuple(sorted(found, key=lambda result: (STAGES.index(result.stage), result.shard or ""))))

    @property
    def nothing_new_since(self) -> str | None:
        """The run whose model and scores stand here; None where this run made some of it.

        None, too, where a stage was skipped on request: what stands in for it is of then, not of today's documents.
        """
        those = [result for result in self.results if result.stage in _MODEL_STAGES]
        sources = {result.stage: result.source_run for result in those if result.status == "cached"}
        changed = any(result.status == "success" or (result.status == "skipped" and result.outputs) for result in those)
        return None if changed or "finetune" not in sources else sources.get("evaluate", sources["finetune"])

    def seconds(self) -> float:
        """What the stages took that this run itself made."""
        return sum(result.seconds for result in self.results if result.status == "success")

    def others(self) -> list[str]:
        """Which stages stand here from other runs, a line a kind and run."""
        found: dict[str, list[str]] = {}
        for result in self.results:
            if result.source_run:
                word = "reused" if result.status == "cached" else "skipped"
                of = f"run {run_name(result.source_run)}"
                found.setdefault(f"{word} ({of})" if word == "reused" else f"{word} ({of} stands in)", []).append(
                    result.stage if result.shard is None else f"{result.stage} {result.shard}"
                )
        return [f"{what}: {', '.join(stages)}" for what, stages in found.items()]


def duration(seconds: float) -> str:
    """As a person says it."""
    minutes, hours = seconds / 60, seconds / 3600
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{round(hours, 1):g} h"
