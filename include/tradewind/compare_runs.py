"""The answers of two runs to the same questions, compared as a run's report compares its models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.files import read_jsonl
from tradewind.metrics.item_scores import Floor, Group, Measured, groups_of
from tradewind.metrics.summary import summarise
from tradewind.recipes import read_config
from tradewind.run_dir import RunDir
from tradewind.scores import Scores
from tradewind.store.mirror import complete

_QUESTION = ("kind", "language", "question", "answer", "record_id", "fact_id", "source")
_BY_MODEL = ("answers", "hit_token_limit", "scores")
_AS = ("base", "tuned")  # what the first and the second run's model stand for


@dataclass(frozen=True)
class EvaluatedRun:
    """What `evaluate` published of a run."""

    path: Path
    config: RunConfig
    scores: Scores
    predictions: dict[str, dict[str, Any]]
    """By the question's id."""


def compare_runs(first: Path, second: Path, model: str) -> Scores:
    """The scores of `model` of two runs, the first's in the place of `base` and the second's in that of `tuned`.

    Level, draws, seed and fewest items are the larger of the two runs', so that their order does not matter.

    Raises:
        UserError: something is missing, or the runs cannot be compared; the line says why.
    """
    one, other = _read(first), _read(second)
    _check_same_measure(one, other)
    _check_same_questions(one, other)
    items = [_item(one, other, key, model) for key in one.predictions]
    measured = Measured(one.scores.encoder_max_length, 0.0, one.scores.encoder_revision, _floors(one, other))
    measured.floors.update(_item_floors(items))
    scores = summarise(items, _AS, measured, _settings(one.config, other.config))
    if any("floors" in row for row in other.predictions.values()):
        return scores
    unchecked = "floors were not checked: the second run has none in its predictions.jsonl"
    return scores.model_copy(update={"verdict_reason": f"{scores.verdict_reason}; {unchecked}"})


def _read(path: Path) -> EvaluatedRun:
    run_dir = RunDir(path)
    folder = run_dir.published("evaluate")
    complete(folder)
    for file in (folder / "predictions.jsonl", folder / "scores.json", run_dir.config_file):
        if not file.is_file():
            raise UserError(f"{file}: no such file; name a run's folder whose stage 'evaluate' has run")
    try:
        scores = Scores.model_validate_json((folder / "scores.json").read_bytes())
        predictions = {str(row["id"]): _checked(row) for row in read_jsonl(folder / "predictions.jsonl")}
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}: was not written by this version; run the stage 'evaluate' again") from error
    if not predictions:
        raise UserError(f"{folder / 'predictions.jsonl'}: holds no question")
    return EvaluatedRun(run_dir.path, read_config(run_dir.config_file), scores, predictions)


def _checked(row: dict[str, Any]) -> dict[str, Any]:
    """The row; KeyError or TypeError where it is none of a prediction."""
    if not all(isinstance(row[name], dict) for name in _BY_MODEL):
        raise TypeError("no prediction")
    return row


def _check_same_measure(one: EvaluatedRun, other: EvaluatedRun) -> None:
    """Scores of different encoders or judges are never compared, nor answers that end at different lengths."""
    theirs = _measure(other)
    for name, ours in _measure(one).items():
        if ours != theirs[name]:
            raise UserError(
                f"the runs' {name} differs: {ours} in {one.path}, {theirs[name]} in {other.path}; "
                "evaluate one of them again with the other's"
            )


def _measure(run: EvaluatedRun) -> dict[str, str]:
    record = run.scores.judge_record
    asked = {name: getattr(record, name, None) for name in ("base_url", "temperature", "samples")}
    return {
        "evaluate.max_new_tokens": str(run.config.evaluate.max_new_tokens),
        "encoder": run.scores.encoder,
        "encoder's revision": run.scores.encoder_revision or "not known",
        "judge": record.model if record else run.scores.judge,
        "judge's prompt": json.dumps(record.prompt_sha256, sort_keys=True) if record else "",
    } | {f"judge's {name}": "not stated" if value is None else str(value) for name, value in asked.items()}


def _check_same_questions(one: EvaluatedRun, other: EvaluatedRun) -> None:
    ours, theirs = one.predictions, other.predictions
    if ours.keys() != theirs.keys():
        raise UserError(
            f"the runs' questions differ: {len(ours.keys() - theirs.keys())} of {len(ours)} in {one.path} and "
            f"{len(theirs.keys() - ours.keys())} of {len(theirs)} in {other.path} stand there only; "
            "compare runs of the same documents, split and seed"
        )
    for key, row in ours.items():
        for field in _QUESTION:
            if row.get(field) != theirs[key].get(field):
                raise UserError(
                    f"the runs' questions differ: {key} has another '{field}' in {other.path} than in "
                    f"{one.path}; compare runs of the same documents, split and seed"
                )


def _item(one: EvaluatedRun, other: EvaluatedRun, key: str, model: str) -> dict[str, Any]:
    rows = [run.predictions[key] for run in (one, other)]
    for row, run in zip(rows, (one, other), strict=True):
        if model not in row["answers"]:
            raise UserError(f"--model {model}: {run.path} has no answers of it; it has {', '.join(row['answers'])}")
    metrics = [metric for metric in rows[0]["scores"] if metric in rows[1]["scores"]]
    named = list(zip(_AS, rows, strict=True))
    return rows[0] | {
        "answers": {name: row["answers"][model] for name, row in named},
        "hit_token_limit": {name: row["hit_token_limit"][model] for name, row in named},
        "scores": {metric: {name: row["scores"][metric].get(model) for name, row in named} for metric in metrics},
        "floors": {
            metric: {name: row.get("floors", {}).get(metric, {}).get(model) for name, row in named}
            for metric in metrics
        },
    }


def _item_floors(items: Sequence[dict[str, Any]]) -> dict[Group, dict[str, dict[str, Floor]]]:
    """As `score_items` gave them, by group, metric and place; NaN where a run has none."""
    return {
        group: {
            metric: {name: np.array([items[at]["floors"][metric][name] for at in members], np.float64) for name in _AS}
            for metric in items[members[0]]["floors"]
        }
        for group, members in groups_of(items).items()
    }


def _floors(one: EvaluatedRun, other: EvaluatedRun) -> dict[str, float]:
    """By language; of the same references and encoder, so the same but for rounding."""
    found = [run.scores.encoder_floors for run in (one, other)]
    return {language: max(floors.get(language, 0.0) for floors in found) for language in found[0] | found[1]}


def _settings(one: RunConfig, other: RunConfig) -> RunConfig:
    evaluate, split = one.evaluate, one.split
    return one.model_copy(
        update={
            "seed": max(one.seed, other.seed),
            "split": split.model_copy(update={"min_items": max(split.min_items, other.split.min_items)}),
            "evaluate": evaluate.model_copy(
                update={
                    name: max(getattr(evaluate, name), getattr(other.evaluate, name))
                    for name in ("bootstrap_resamples", "confidence_level", "max_floor")
                }
            ),
        }
    )
