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
from tradewind.metrics.item_scores import FOR_SOME, Floor, is_fair_to
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
    fair = {model: np.array([is_fair_to(model, items[at]) for at in scored], bool) for model in models}
    comparisons: dict[str, Comparison] = {}
    no_comparison: dict[str, str] = {}
    above_floor: Interval | None = None
    if "tuned" in models:
        for other in (name for name in OPPONENTS if name in models):
            # What the other was trained to answer is held out for tuned only.
            both = {model: values[model][fair[other]] for model in (other, "tuned")}
            of_fair = list(compress(records, fair[other]))
            why = _no_interval(of_fair, config, "" if fair[other].all() else f" that the {other} has not learnt")
            found = None if why else compare(both[other], both["tuned"], of_fair, draws)
            if found:
                means = {model: math.fsum(of_model) / found.n for model, of_model in both.items()}
                comparisons[other] = found.model_copy(update={"means": means})
            elif other == "base":
                reason = why or _all_alike(of_fair)
            else:
                no_comparison[other] = why or _all_alike(of_fair)
    if "tuned" in models and _no_interval(records, config) is None:
        beside = values["tuned"] - floors["tuned"][scored] if "tuned" in floors else np.array([np.nan])
        estimate = None if np.isnan(beside).any() else paired_bootstrap(beside, records, draws)
        above_floor = estimate[0] if estimate else None
    return MetricScore(
        metric=name,
        mean={
            model: math.fsum(values[model][fair[model]]) / int(fair[model].sum())
            for model in models
            if fair[model].any()
        },
        floor=_floors(floors, items),
        scored=len(scored),
        unscored=0 if name in FOR_SOME else len(items) - len(scored),
        comparisons=comparisons,
        no_interval=reason,
        no_comparison=no_comparison,
        tuned_minus_floor=above_floor,
        usable=note is None,
        note=note,
    )


def _floors(floors: dict[str, Floor], items: Sequence[dict[str, Any]]) -> dict[str, float]:
    fair = {model: floor[[is_fair_to(model, item) for item in items]] for model, floor in floors.items()}
    return {model: float(np.nanmean(floor)) for model, floor in fair.items() if not np.isnan(floor).all()}


def _no_interval(records: Sequence[str], config: RunConfig, which: str = "") -> str | None:
    """Why the items scored (`which` says which of all) give no interval, or None where they do."""
    if len(records) < config.split.min_items:
        questions = f"1 question{which} was" if len(records) == 1 else f"{len(records)} questions{which} were"
        return f"no interval: only {questions} scored, and split.min_items is {config.split.min_items}"
    if len(set(records)) < 2:
        return f"no interval: all {len(records)} questions{which} scored are about one record"
    return None


def _all_alike(records: Sequence[str]) -> str:
    return f"no interval: too few records ({len(set(records))}), which all differ alike"
