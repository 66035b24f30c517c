"""The JSON contract of an evaluation: scores by kind of held-out question, with their intervals."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tradewind.kinds import Kind
from tradewind.results import Contract

METRIC_NAMES = {"semscore": "SemScore", "chrf": "chrF", "truthfulness": "truthfulness"}
Verdict = Literal["better", "worse", "no difference shown"]


class Interval(Contract):
    """A difference of means with its confidence interval by the paired bootstrap."""

    difference: float
    low: float
    high: float
    confidence_level: float


class Comparison(Interval):
    """The tuned model minus another one on the same questions."""

    p: float
    """Two-sided, by the same bootstrap."""
    wins: int
    ties: int
    losses: int
    n: int


class MetricScore(Contract):
    """One metric of the three models on one group of held-out questions."""

    metric: str
    mean: dict[str, float]
    """Model name (`base`, `adapted`, `tuned`) to the mean over items."""
    floor: dict[str, float] = Field(default_factory=dict)
    """The same mean when each answer meets another item's reference."""
    scored: int
    unscored: int = 0
    comparisons: dict[str, Comparison] = Field(default_factory=dict)
    """What `tuned` is compared against (`base`, `champion`) to the difference; absent where there is no interval."""
    tuned_minus_base: Interval | None = None
    """None where there are too few items or records for an interval (`split.min_items`)."""
    tuned_minus_floor: Interval | None = None
    """Own reference against others': an interval above 0 says that the answers are about their questions."""
    usable: bool = True
    """False where the metric cannot tell right from wrong here, and `note` says why."""
    note: str | None = None


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
    judge_prompt_sha256: str | None = None
    """Of the judge's rubric; scores under different ones are not comparable."""
    judge: str
    """The judge's model, or why there is no truthfulness score."""
    verdict: Verdict
    verdict_reason: str
