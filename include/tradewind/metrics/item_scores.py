"""Every metric of every answer, and the floor of each metric: scores before any aggregation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tradewind.config import EvaluateConfig
from tradewind.metrics import chrf, semscore
from tradewind.metrics.exact_form import exact_forms
from tradewind.metrics.exact_match import exact_match
from tradewind.metrics.numbers import numbers

Floor = npt.NDArray[np.float64]
FOR_SOME = ("exact_match", "numbers")
"""Metrics that apply to some questions only: where there is no score of theirs, nothing failed."""
Group = tuple[str, str]
"""Kind of held-out question, and language."""


@dataclass
class Measured:
    """What the metrics say beside each item's own score."""

    encoder_max_length: int
    encoder_truncated: float
    encoder_revision: str | None = None
    language_floors: dict[str, float] = field(default_factory=dict)
    """By language, SemScore of references against those of other facts: whether the encoder can judge it."""
    floors: dict[Group, dict[str, dict[str, Floor]]] = field(default_factory=dict)
    """By group and metric: model (or `reference`) to each item's score against other facts' references."""


def groups_of(predictions: Sequence[dict[str, Any]]) -> dict[Group, list[int]]:
    """Indices of the items of each kind and language, by the items' ids: in whatever order they come, figures agree."""
    found: dict[Group, list[int]] = {}
    for index in sorted(range(len(predictions)), key=lambda index: str(predictions[index]["id"])):
        item = predictions[index]
        found.setdefault((item["kind"], item["language"]), []).append(index)
    return found


def is_fair_to(model: str, item: Mapping[str, Any]) -> bool:
    """Whether the item counts for `model`, which has not learnt its answer while it was held out for the others."""
    return model not in item.get("known_to", ())


def score_items(predictions: Sequence[dict[str, Any]], models: Sequence[str], config: EvaluateConfig) -> Measured:
    """Fill each prediction's `scores[metric][model]`: None where it has none, or where the encoder gave no number.

    And `floors[metric][model]` of the metrics that have floors.

    Raises:
        UserError: the encoder cannot be had.
    """
    references = [item["answer"] for item in predictions]
    answers = {name: [item["answers"][name] for item in predictions] for name in models}
    texts = references + [text for name in models for text in answers[name]]
    embedded = semscore.embed(texts, config.encoder, config.encoder_revision)
    size = len(predictions)
    forms = [exact_forms(item) for item in predictions]
    vectors = {"reference": embedded.vectors[:size]}
    for at, name in enumerate(models, 1):
        vectors[name] = embedded.vectors[at * size : (at + 1) * size]
    for name in models:
        found = {
            "semscore": semscore.similarity(vectors[name], vectors["reference"]),
            "chrf": chrf.chrf(answers[name], references),
            "exact_match": exact_match(answers[name], references, forms),
            "numbers": numbers(answers[name], references, forms),
        }
        for metric, values in found.items():
            for item, value in zip(predictions, values, strict=True):
                item["scores"].setdefault(metric, {})[name] = _kept(value)
    measured = Measured(embedded.max_length, embedded.truncated / len(texts), embedded.revision)
    by_group = groups_of(predictions)
    for language in sorted({language for _, language in by_group}):
        of_it = [index for (_, other), members in by_group.items() if other == language for index in members]
        own = vectors["reference"][of_it]
        found_floor = semscore.floor(own, own, [predictions[index]["fact_id"] for index in of_it])
        if not np.isnan(found_floor).all():
            measured.language_floors[language] = float(np.nanmean(found_floor))
    for group, members in by_group.items():
        facts = [predictions[index]["fact_id"] for index in members]
        texts_of = answers | {"reference": references}
        measured.floors[group] = {
            "semscore": {
                name: semscore.floor(vectors[name][members], vectors["reference"][members], facts) for name in vectors
            },
            "chrf": {
                name: chrf.floor([text[i] for i in members], [references[i] for i in members], facts)
                for name, text in texts_of.items()
            },
        }
        for metric, floors in measured.floors[group].items():
            for at, index in enumerate(members):
                kept = {name: _kept(floors[name][at]) for name in models}
                predictions[index].setdefault("floors", {})[metric] = kept
    return measured


def _kept(value: float) -> float | None:
    number = float(value)
    return round(number, 6) if math.isfinite(number) else None
