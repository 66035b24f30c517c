"""The operators that need a model: the base's answers, adaptation, fine-tuning, evaluation."""

from __future__ import annotations

from typing import Any

from tradewind_airflow.operators.stage import StageOperator


class GemmaBaselineOperator(StageOperator):
    """The base's answers to the held-out questions, beside the trainings; `evaluate` finds them made."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(stage="baseline", **kwargs)


class GemmaAdaptOperator(StageOperator):
    """Domain-adaptive pretraining on the documents' running text; publishes `adapt/model`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(stage="adapt", **kwargs)


class GemmaFinetuneOperator(StageOperator):
    """LoRA fine-tuning on question/answer pairs; publishes `finetune/adapter` and `finetune/model`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(stage="finetune", **kwargs)


class GemmaEvaluateOperator(StageOperator):
    """Base, adapted and tuned on the held-out questions; publishes `evaluate/scores.json`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(stage="evaluate", **kwargs)
