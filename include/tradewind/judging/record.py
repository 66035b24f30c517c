"""What stands in the report about the judge."""

from __future__ import annotations

from pydantic import Field

from tradewind.results import Contract


class JudgeRecord(Contract):
    """Who judged, by which prompt, how reliably, and what it cost."""

    model: str
    prompt_sha256: dict[str, str]
    """By language; scores under different prompts are not comparable."""
    samples: int
    """Verdicts asked for each answer; its grade is their mean."""
    unscored: dict[str, int] = Field(default_factory=dict)
    """Per model, the answers without a verdict."""
    anchors_kappa: float | None = None
    """Quadratic kappa of the judge's grades with those of the fixed anchors."""
    anchors_n: int = 0
    anchors_unscored: int = 0
    drift: str | None = None
    """Why the judge's agreement with the anchors is a warning."""
    requests: int = 0
    tokens: int = 0
    cost: float | None = None
