"""What must be known of a judge before its scores are believed or compared."""

from __future__ import annotations

from pydantic import Field

from tradewind.results import Contract


class JudgeRecord(Contract):
    """The judge of one evaluation, what it could not grade, and how far it agrees with the anchors."""

    model: str
    base_url: str | None = None
    """Of another server than OpenAI's: behind one model's name two servers may have different models."""
    temperature: float | None = None
    prompt_sha256: dict[str, str]
    """Of the rubric, by language; scores under different ones are not comparable."""
    samples: int
    """Verdicts on each answer, of which the mean is its score."""
    unscored: dict[str, int] = Field(default_factory=dict)
    """By model, answers without a score: they count in no mean, and never as the lowest score."""
    empty: dict[str, int] = Field(default_factory=dict)
    """By model, empty answers: 1 without asking the judge."""
    addressed: dict[str, int] = Field(default_factory=dict)
    """By model, answers that give the judge orders: not shown to it, and among the unscored."""
    anchors_kappa: float | None = None
    """Quadratic-weighted kappa with the anchors' grades (Cohen 1968); None where it cannot be computed."""
    anchors_n: int = 0
    """Anchors asked about: those in languages that occur among the questions."""
    anchors_unscored: int = 0
    drift: str | None = None
    """Why the judge is not to be trusted as before, in words; None where nothing speaks against it."""
    left_to_ask: int = 0
    """Verdicts on answers that are missing now, and that the server may give another time."""
    requests: int = 0
    """Of this run, all its tries together; verdicts of earlier runs cost nothing."""
    tokens: int = 0
    cost: float | None = None
    """In the currency of `evaluate.judge.price`; None where no price is stated."""
    without_a_bill: int = 0
    """Requests whose cost the server did not tell."""
