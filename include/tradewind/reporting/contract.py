"""`report.json`: everything a reader of a run needs, for the pages and the Slack message alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from tradewind.errors import UserError
from tradewind.kinds import Kind
from tradewind.results import Contract, PeakMemory
from tradewind.scores import Scores


class StageSummary(Contract):
    """One line of the report about a stage."""

    stage: str
    status: str
    reason: str | None
    """Why it was skipped, or what there is to say of it."""
    source_run: str | None = None
    """The run whose result stands here; None where it is the report's own."""
    seconds: float
    peak_memory_bytes: PeakMemory | None = None
    resumed_from_step: int | None
    metrics: dict[str, Any]

    @property
    def outcome(self) -> str:
        """`made` in this run, `cached` from which other, or `skipped`, of which `reason` says more."""
        if self.status == "cached":
            return f"cached (from run {self.source_run})"
        return "made" if self.status == "success" else self.status


class Example(Contract):
    """A held-out question with the answers side by side."""

    kind: Kind
    language: str
    question: str
    reference: str
    answers: dict[str, str]
    metric: str
    """The headline metric of the item's group."""
    score: dict[str, float]
    """Under that metric, by model; a model without a score is absent."""
    difference: float
    """Tuned minus base."""
    grades: dict[str, float] = Field(default_factory=dict)
    """Truthfulness by model, where a judge gave one."""
    reasoning: dict[str, str] = Field(default_factory=dict)
    """The judge's, by model."""


class Report(Contract):
    """The report of one run."""

    schema_version: Literal[1] = 1
    run: str
    recipe: str
    model: str
    data: str
    seed: int
    finished_at: str
    scores: Scores
    stages: tuple[StageSummary, ...]
    warnings: tuple[str, ...]
    best: tuple[Example, ...]
    """The questions with the greatest gain of tuned over base, the greatest first."""
    worst: tuple[Example, ...]
    """Those with the least, the least first."""
    versions: dict[str, str]


def read_report(path: Path) -> Report:
    """Read `report.json`; UserError with one line where it is absent or not ours."""
    try:
        return Report.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run the stage 'report' first") from error
    except ValidationError as error:
        raise UserError(f"{path}: {error.errors()[0]['msg']}; run the stage 'report' again") from error
