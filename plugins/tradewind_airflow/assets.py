"""What pipelines tell each other through Airflow: documents that changed, a model that was made."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset

from tradewind.registry.version import MODEL, REPORTS, Version
from tradewind.reporting.contract import read_report
from tradewind.scores import Scores

_GROUP = "tradewind"


def documents_of(dag_id: str) -> Asset:
    """The documents that a pipeline trains on; an event says that they have changed."""
    return Asset(name=f"{dag_id}.documents", uri=f"tradewind://{dag_id}/documents", group=_GROUP)


def model_of(dag_id: str) -> Asset:
    """The pipeline's newest model; an event's `extra` is `model_facts`."""
    return Asset(name=f"{dag_id}.model", uri=f"tradewind://{dag_id}/model", group=_GROUP)


def asset_of(name: str, pipeline: str) -> Any:
    """The asset that a pipeline names, its own where no pipeline is named."""
    owner, _, kind = name.rpartition(".")
    return {"documents": documents_of, "model": model_of}[kind](owner or pipeline)


def model_facts(version: Version, *, champion: bool) -> dict[str, Any]:
    """What a DAG that builds on the model asks first: which it is, where it lies and how good it is."""
    record = version.record
    return {
        "version": version.name,
        "is_champion": champion,
        "verdict": record.verdict,
        "verdict_reason": record.verdict_reason,
        "scores": _headlines(read_report(version.path / REPORTS[0]).scores),
        "model": str(version.path / MODEL),
        "model_sha256": record.model_sha256,
        "base_model": record.base_model,
        "recipe": record.recipe,
        "seed": record.seed,
        "run": record.run,
    }


def _headlines(scores: Scores) -> list[dict[str, Any]]:
    """Each group's metric to read first: the models' means, and the tuned one's lead over the base."""
    rows = []
    for group in scores.groups:
        score = group.metric(group.headline)
        gain = score.tuned_minus_base
        rows.append(
            {
                "kind": group.kind,
                "language": group.language,
                "metric": score.metric,
                "n": score.scored,
                **score.mean,
                "difference": gain.difference if gain else None,
                "low": gain.low if gain else None,
                "high": gain.high if gain else None,
            }
        )
    return rows
