"""One metric of one group of questions: means, floors and comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import compress
from typing import Any

import numpy as np

from tradewind.config import RunConfig
from tradewind.metrics.bootstrap import Draws, paired_bootstrap
from tradewind.metrics.comparison import compare
from tradewind.metrics.item_scores import FOR_SOME, Floor
from tradewind.scores import OPPONENTS, Comparison, Interval, MetricScore


def metric_score(
    name: str, items: Sequence[dict[str, Any]], floors: dict[str, Floor], note: str | None, config: RunConfig
) -> MetricScore:
    """The score of all models under one metric, on the items that each of them has a score for.

    Args:
        note: why the metric cannot tell right from wrong here, or None.
    """
    models = list(items[0]["answers"])
    scored = [
        at for at, item in enumerate(items) if all(item["scores"][name].get(model) is not None for model in models)
    ]
    values = {model: np.array([items[at]["scores"][name][model] for at in scored], np.float64) for model in models}
    records = [str(items[at]["record_id"]) for at in scored]
    reason = _no_interval(records, config) if "tuned" in models else None
    draws = Draws.of(config)
    comparisons: dict[str, Comparison] = {}
    above_floor: Interval | None = None
    if "tuned" in models and reason is None:
        for other in OPPONENTS:
            # What the other was trained to answer is held out for tuned only.
            fair = np.array([other not in items[at].get("known_to", ()) for at in scored])
            of_fair = list(compress(records, fair))
            if other in models and _no_interval(of_fair, config) is None:
                found = compare(values[other][fair], values["tuned"][fair], of_fair, draws)
                if found:
                    comparisons[other] = found
                elif other == "base":
                    reason = _all_alike(records)
        beside = values["tuned"] - floors["tuned"][scored] if "tuned" in floors else np.array([np.nan])
        estimate = None if np.isnan(beside).any() else paired_bootstrap(beside, records, draws)
        above_floor = estimate[0] if estimate else None
    return MetricScore(
        metric=name,
        mean={model: math.fsum(values[model]) / len(scored) for model in models} if scored else {},
        floor={model: float(np.nanmean(floor)) for model, floor in floors.items() if not np.isnan(floor).all()},
        scored=len(scored),
        unscored=0 if name in FOR_SOME else len(items) - len(scored),
        comparisons=comparisons,
        no_interval=reason,
        tuned_minus_floor=above_floor,
        usable=note is None,
        note=note,
    )


def _no_interval(records: Sequence[str], config: RunConfig) -> str | None:
    """Why the items scored give no interval, or None where they do."""
    if len(records) < config.split.min_items:
        questions = "1 question was" if len(records) == 1 else f"{len(records)} questions were"
        return f"no interval: only {questions} scored, and split.min_items is {config.split.min_items}"
    if len(set(records)) < 2:
        return f"no interval: all {len(records)} questions scored are about one record"
    return None


def _all_alike(records: Sequence[str]) -> str:
    return f"no interval: too few records ({len(set(records))}), which all differ alike"
