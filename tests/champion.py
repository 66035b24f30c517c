"""Scores with a champion in them."""

from __future__ import annotations

from tradewind.scores import MetricScore, Scores


def with_champion(scores: Scores) -> Scores:
    """The same scores with a champion that answers as base does."""

    def beside(metric: MetricScore) -> MetricScore:
        mean = metric.mean | {"champion": metric.mean["base"]}
        comparisons = metric.comparisons | {"champion": metric.comparisons["base"]}
        return metric.model_copy(update={"mean": mean, "comparisons": comparisons})

    groups = tuple(group.model_copy(update={"metrics": tuple(map(beside, group.metrics))}) for group in scores.groups)
    return scores.model_copy(update={"groups": groups, "models": (*scores.models, "champion")})
