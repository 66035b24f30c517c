"""Every setting of a run and its default: the only home of defaults.

A recipe (`recipes/*.yaml`) states what differs from these. Field names are those of TRL's
`SFTConfig`, PEFT's `LoraConfig` and transformers' `TrainingArguments` where such a field exists.
"""

from __future__ import annotations

from tradewind.config.asking import AskConfig, BatchConfig, BudgetConfig, PriceConfig, ServerConfig
from tradewind.config.base import Auto, ColumnNames, Fraction, Frozen, Language, SecretName
from tradewind.config.data import (
    ColumnsConfig,
    DataConfig,
    DatasetConfig,
    QualityConfig,
    QuestionTemplates,
    SplitConfig,
)
from tradewind.config.evaluate import EvaluateConfig, JudgeConfig
from tradewind.config.extract import ExtractConfig, GroundingConfig
from tradewind.config.registry import GateConfig, GateRule, RegistryConfig
from tradewind.config.run import Recipe, RunConfig
from tradewind.config.training import LoraSettings, ModelConfig, QuantizationSettings, SweepConfig, TrainingConfig

__all__ = [
    "AskConfig",
    "Auto",
    "BatchConfig",
    "BudgetConfig",
    "ColumnNames",
    "ColumnsConfig",
    "DataConfig",
    "DatasetConfig",
    "EvaluateConfig",
    "ExtractConfig",
    "Fraction",
    "Frozen",
    "GateConfig",
    "GateRule",
    "GroundingConfig",
    "JudgeConfig",
    "Language",
    "LoraSettings",
    "ModelConfig",
    "PriceConfig",
    "QualityConfig",
    "QuantizationSettings",
    "QuestionTemplates",
    "Recipe",
    "RegistryConfig",
    "RunConfig",
    "SecretName",
    "ServerConfig",
    "SplitConfig",
    "SweepConfig",
    "TrainingConfig",
]
