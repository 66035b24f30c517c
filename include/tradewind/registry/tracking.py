"""Versions as runs of MLflow's tracking."""

from __future__ import annotations

import time

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.registry.version import Version
from tradewind.scores import Scores

VERSION_TAG = "tradewind.version"


def track_version(version: Version, scores: Scores, config: RunConfig, tracking_uri: str) -> None:
    """Note settings, scores and the gate's word as one run of the experiment named by the DAG; once a version.

    Raises:
        UserError: MLflow is not installed, or its store refuses or cannot be reached.
    """
    try:
        from mlflow.entities import Metric, Param
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise UserError(
            "registry.mlflow_tracking_uri: MLflow is not installed here; pip install mlflow-skinny"
        ) from error
    record = version.record
    try:
        client = MlflowClient(tracking_uri=tracking_uri)
        found = client.get_experiment_by_name(record.dag_id)
        experiment = found.experiment_id if found else client.create_experiment(record.dag_id)
        known = client.search_runs(
            [experiment], f"tags.`{VERSION_TAG}` = '{version.name}' and attributes.status = 'FINISHED'", max_results=1
        )
        if known:
            return
        run = client.create_run(experiment, tags=_tags(version), run_name=f"{record.dag_id} {version.name}").info.run_id
        now = int(time.time() * 1000)
        client.log_batch(
            run,
            metrics=[Metric(name, figure, now, 0) for name, figure in _figures(scores).items()],
            params=[Param(name, value) for name, value in _settings(config).items()],
        )
        client.set_terminated(run)
    except (MlflowException, OSError) as error:
        raise UserError(
            f"registry.mlflow_tracking_uri: {tracking_uri} cannot be written ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:200]}); check the address, or leave it out"
        ) from error


def _tags(version: Version) -> dict[str, str]:
    record = version.record
    return {
        VERSION_TAG: record.name,
        "tradewind.run": record.run,
        "tradewind.verdict": record.verdict,
        "tradewind.gate": "let through" if record.decision.promote else "refused",
        "tradewind.reasons": "\n".join(record.decision.reasons),
        "tradewind.model_sha256": record.model_sha256,
    }


def _settings(config: RunConfig) -> dict[str, str]:
    """The blocks that decide what a model is, by dotted key."""
    settings = config.model_dump(mode="json", include={"recipe", "seed", "model", "split", "adapt", "finetune"})
    return dict(_flat("", settings))


def _flat(prefix: str, value: object) -> list[tuple[str, str]]:
    if not isinstance(value, dict):
        return [(prefix, str(value))]
    return [found for key, inner in value.items() for found in _flat(f"{prefix}.{key}" if prefix else key, inner)]


def _figures(scores: Scores) -> dict[str, float]:
    found: dict[str, float] = {}
    for group in scores.groups:
        for metric in group.metrics:
            place = f"{group.kind}.{group.language}.{metric.metric}"
            found |= {f"{place}.{model}": mean for model, mean in metric.mean.items()}
            for other, comparison in metric.comparisons.items():
                found |= {
                    f"{place}.tuned_minus_{other}": comparison.difference,
                    f"{place}.tuned_minus_{other}.low": comparison.low,
                    f"{place}.tuned_minus_{other}.high": comparison.high,
                }
    return found
