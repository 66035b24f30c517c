"""The JSON contract of an evaluation: scores by kind of held-out question, with their intervals."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tradewind.judging.record import JudgeRecord
from tradewind.kinds import Kind
from tradewind.results import Contract

METRIC_NAMES = {
    "semscore": "SemScore",
    "chrf": "chrF",
    "exact_match": "exact match",
    "numbers": "numbers",
    "truthfulness": "truthfulness",
}
OPPONENTS = ("base", "champion")
"""What `tuned` is compared against, where it answered."""
Verdict = Literal["better", "worse", "no difference shown"]


class Interval(Contract):
    """A difference of means with its confidence interval by the paired bootstrap."""

    difference: float
    low: float
    high: float
    confidence_level: float


class Comparison(Interval):
    """Two models on the same questions, the second minus the first."""

    p: float
    """Two-sided, of this comparison alone, by the bootstrap that gave the interval."""
    p_holm: float | None = None
    """Corrected for all comparisons with the same opponent in one evaluation (Holm 1979)."""
    wins: int
    """Questions that the second model answers better."""
    ties: int
    losses: int
    n: int
    means: dict[str, float] = Field(default_factory=dict)
    """Of both models over these `n` questions."""


class MetricScore(Contract):
    """One metric of the models on one group of held-out questions."""

    metric: str
    mean: dict[str, float]
    """Model name (`base`, `adapted`, `tuned`, `champion`) to the mean over the items scored.

    The champion's leaves out what it has learnt, here as in `floor`; without any other it has none.
    """
    floor: dict[str, float] = Field(default_factory=dict)
    """The same mean when each answer meets another item's reference."""
    scored: int
    """Items that every model has a score for; of exact match and numbers, those that the metric applies to."""
    unscored: int = 0
    comparisons: dict[str, Comparison] = Field(default_factory=dict)
    """`tuned` minus `base` and `champion`; where one is missing, `no_interval` or `no_comparison` says why."""
    no_interval: str | None = None
    """Why there is none with `base`."""
    no_comparison: dict[str, str] = Field(default_factory=dict)
    """Why there is none with another opponent that answered."""
    tuned_minus_floor: Interval | None = None
    """Own reference against others': an interval above 0 says that the answers are about their questions."""
    usable: bool = True
    """False where the metric cannot tell right from wrong here, and `note` says why."""
    note: str | None = None

    @property
    def tuned_minus_base(self) -> Comparison | None:
        """What the verdict is read from."""
        return self.comparisons.get("base")


class SourceScore(Contract):
    """The headline metric on the questions from one kind of document."""

    n: int
    mean: dict[str, float]


class GroupScore(Contract):
    """The scores of one kind of held-out question in one language."""

    kind: Kind
    language: str
    n: int
    records: int
    """Source records the questions come from: what the bootstrap resamples."""
    headline: str
    """The metric to read first: SemScore, or chrF where the encoder cannot judge the language."""
    metrics: tuple[MetricScore, ...]
    sources: dict[str, SourceScore] = Field(default_factory=dict)
    """The headline metric by kind of document: a mean over all may hide that one kind was not learnt."""

    def metric(self, name: str) -> MetricScore:
        """The score under `name`; KeyError where it was not computed."""
        for score in self.metrics:
            if score.metric == name:
                return score
        raise KeyError(name)


class Scores(Contract):
    """All that `evaluate` found; kept as `scores.json`."""

    schema_version: Literal[1] = 1
    models: tuple[str, ...]
    groups: tuple[GroupScore, ...]
    encoder: str
    encoder_max_length: int
    """Tokens; a longer answer is cut by the encoder."""
    encoder_truncated: float
    """Share of answers and references that were cut."""
    hit_token_limit: dict[str, float]
    """Per model, the share of answers that reached `max_new_tokens` without an end."""
    encoder_revision: str | None = None
    """Which version of the encoder was read: a hub's commit, a package's version or a folder's hash."""
    encoder_floors: dict[str, float] = Field(default_factory=dict)
    """By language, what references of different facts score against each other."""
    judge: str
    """The judge's model, or why there is no truthfulness score."""
    judge_record: JudgeRecord | None = None
    grades: dict[str, tuple[int, int, int, int, int]] = Field(default_factory=dict)
    """Per model, how many answers the judge graded 1, 2, 3, 4, 5; the mean of several samples is rounded, halves up.

    Those of the champion leave out what it has learnt.
    """
    comparisons_made: dict[str, int] = Field(default_factory=dict)
    """Per opponent, how many comparisons `p_holm` is corrected for."""
    verdict: Verdict
    verdict_reason: str
