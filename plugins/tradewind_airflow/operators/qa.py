"""Raw documents to question/answer pairs."""

from __future__ import annotations

from typing import Any

from tradewind_airflow.operators.stage import StageOperator


class QAConversionOperator(StageOperator):
    """Read exams, glossaries and transcripts; publish training pairs, held-out questions and a corpus."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(stage="prepare", **kwargs)
