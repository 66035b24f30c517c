"""The operator of each task that a pipeline names by `uses`, imported when one is named."""

from __future__ import annotations

import importlib
from typing import Any

_OURS = "tradewind_airflow.operators"
_WHERE = {
    "configure": f"{_OURS}.configure:ConfigureRunOperator",
    "configure_sweep": f"{_OURS}.sweep:ConfigureSweepOperator",
    "shards": f"{_OURS}.qa:TranscriptShardsOperator",
    "extract": f"{_OURS}.qa:QAConversionOperator",
    "prepare": f"{_OURS}.qa:QAConversionOperator",
    "baseline": f"{_OURS}.gemma:GemmaBaselineOperator",
    "adapt": f"{_OURS}.gemma:GemmaAdaptOperator",
    "finetune": f"{_OURS}.gemma:GemmaFinetuneOperator",
    "trial": f"{_OURS}.sweep:GemmaTrialOperator",
    "choose": f"{_OURS}.sweep:ChooseTrialOperator",
    "evaluate": f"{_OURS}.gemma:GemmaEvaluateOperator",
    "report": f"{_OURS}.report:ReportOperator",
    "register": f"{_OURS}.promotion:RegisterModelOperator",
    "approve": f"{_OURS}.promotion:ApprovePromotionOperator",
    "promote": f"{_OURS}.promotion:PromoteModelOperator",
    "announce": f"{_OURS}.announce:AnnounceRunOperator",
    "notify": f"{_OURS}.report:NotifyRunOperator",
    "tell_promotion": f"{_OURS}.report:NotifyPromotionOperator",
    "hand_over": f"{_OURS}.serving:ServedChampionSensor",
    "watch_documents": f"{_OURS}.documents:WatchDocumentsOperator",
    "end": "airflow.providers.standard.operators.empty:EmptyOperator",
}
FOLDERS = {"trial": "finetune", "choose": "finetune"}
"""The stage whose folder holds what a task made, where it is not named as the task is."""


def operator_class(uses: str) -> Any:
    """The operator's class."""
    module, _, name = _WHERE[uses].partition(":")
    return getattr(importlib.import_module(module), name)


def uses_of(task: Any) -> str | None:
    """By which name a pipeline would use a task of a DAG; None where it is none of ours."""
    cls = task.operator_class if task.is_mapped else type(task)
    name = f"{cls.__module__}:{cls.__qualname__}"
    found = [uses for uses, where in _WHERE.items() if where == name]
    if "extract" in found:
        return "extract" if task.is_mapped else "prepare"
    return found[0] if found else None
