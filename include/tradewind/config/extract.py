"""How pairs are drawn from running text."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from tradewind.config.asking import BatchConfig
from tradewind.config.base import Fraction, Frozen


class GroundingConfig(Frozen):
    """When an answer counts as supported by its passage."""

    min_overlap: Fraction = 0.5
    """Share of the answer's words, by their stems, that stand in the passage."""
    min_similarity: Annotated[float, Field(ge=-1.0, lt=1.0)] = 0.6
    """Cosine of the answer to the passage's nearest sentence, by `evaluate.encoder`. Either test suffices."""
    judge: bool = False
    """Ask the extracting model too, in a request of its own for each passage."""


class ExtractConfig(BatchConfig):
    """Question/answer pairs drawn from running text by a model; without this block none are drawn."""

    block = "extract"

    passage_tokens: Annotated[int, Field(ge=32)] = 512
    """The longest passage, in tokens of the model that is trained."""
    overlap_tokens: Annotated[int, Field(ge=0)] = 64
    """Sentences that a passage repeats of the one before, so that a fact across the cut is whole."""
    max_pairs: Annotated[int, Field(ge=1, le=50)] = 8
    """Facts asked for of one passage, at most."""
    wordings: Annotated[int, Field(ge=1, le=10)] = 3
    """Differently worded questions for each fact; *reworded* held-out questions need two or more."""
    summarise: bool = False
    """Have the passage summarised first, and pairs drawn from the summary."""
    shards: Annotated[int, Field(ge=1, le=1000)] = 1
    """Into how many tasks Airflow divides the passages."""
    grounding: GroundingConfig = GroundingConfig()
    """Which answers are kept."""

    @model_validator(mode="after")
    def _overlap_is_shorter(self) -> Self:
        if self.overlap_tokens >= self.passage_tokens:
            raise ValueError("overlap_tokens must be less than passage_tokens")
        return self
