"""A recipe's blocks together, and the configuration of one run."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tradewind.config.base import Frozen
from tradewind.config.data import DataConfig, SplitConfig
from tradewind.config.evaluate import EvaluateConfig
from tradewind.config.extract import ExtractConfig
from tradewind.config.registry import GateConfig, RegistryConfig
from tradewind.config.training import ModelConfig, SweepConfig, TrainingConfig


class Recipe(Frozen):
    """What a recipe file may say."""

    model: ModelConfig = ModelConfig()
    """What is trained."""
    extract: ExtractConfig | None = None
    """Draw pairs from running text; None: none are drawn."""
    data: DataConfig = DataConfig()
    """How documents are read."""
    split: SplitConfig = SplitConfig()
    """What is held out."""
    adapt: TrainingConfig = TrainingConfig()
    """The training on running text."""
    finetune: TrainingConfig = TrainingConfig()
    """The training on pairs."""
    sweep: SweepConfig = SweepConfig()
    """How one of several settings of it is chosen."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """How answers are generated and scored."""
    gate: GateConfig = GateConfig()
    """When a model becomes champion."""
    registry: RegistryConfig = RegistryConfig()
    """Which models are kept."""


class RunConfig(Recipe):
    """The resolved configuration of one run: a recipe, the documents and the seed."""

    recipe: str
    """The recipe's name; of a file, without folder and ending."""
    data_dir: str
    """Absolute folder with `exam_data/`, `term_data/`, `qa_data/` and `transcript_data/`, any of which may be
    absent; or the samples `embedded:en` and `embedded:ko`."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Of split, training and bootstrap: the same seed draws the same."""
