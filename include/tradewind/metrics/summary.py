"""Item scores to means, intervals and a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

from tradewind.config import EvaluateConfig, RunConfig
from tradewind.judging.record import JudgeRecord
from tradewind.kinds import KINDS, Kind
from tradewind.metrics.comparison import holm
from tradewind.metrics.item_scores import FOR_SOME, Group, Measured, groups_of, is_fair_to
from tradewind.metrics.metric_score import metric_score
from tradewind.metrics.verdict import verdict_of
from tradewind.scores import METRIC_NAMES, OPPONENTS, GroupScore, Scores, SourceScore


def summarise(
    predictions: Sequence[dict[str, Any]],
    models: Sequence[str],
    measured: Measured,
    config: RunConfig,
    judge_record: JudgeRecord | None = None,
) -> Scores:
    """The scores of an evaluation, groups in the order reworded, read, unseen, larger languages first."""
    found = groups_of(predictions)
    order = sorted(found, key=lambda group: (KINDS.index(cast("Kind", group[0])), -len(found[group]), group[1]))
    groups = tuple(_group(group, [predictions[i] for i in found[group]], measured, config) for group in order)
    groups, comparisons_made = _corrected(groups)
    verdict, reason = verdict_of(groups)
    judge = config.evaluate.judge
    size = len(predictions)
    return Scores(
        models=tuple(models),
        groups=groups,
        encoder=config.evaluate.encoder,
        encoder_max_length=measured.encoder_max_length,
        encoder_truncated=measured.encoder_truncated,
        hit_token_limit={name: sum(item["hit_token_limit"][name] for item in predictions) / size for name in models},
        encoder_revision=measured.encoder_revision,
        encoder_floors=measured.language_floors,
        judge=judge.model if judge else "no judge is configured (evaluate.judge): truthfulness was not measured",
        judge_record=judge_record,
        grades=_grades(predictions, models),
        comparisons_made=comparisons_made,
        verdict=verdict,
        verdict_reason=reason,
    )


def _group(group: Group, items: Sequence[dict[str, Any]], measured: Measured, config: RunConfig) -> GroupScore:
    floors = measured.floors[group]
    blind = _blind(group[1], measured.language_floors.get(group[1], 0.0), config.evaluate)
    notes = {"semscore": blind} if blind else {}
    scores = tuple(
        metric_score(name, items, floors.get(name, {}), notes.get(name), config)
        for name in METRIC_NAMES
        if name in items[0]["scores"] and (name not in FOR_SOME or _applies(name, items))
    )
    headline = next((score.metric for score in scores if score.usable and score.scored), scores[0].metric)
    return GroupScore(
        kind=cast("Kind", group[0]),
        language=group[1],
        n=len(items),
        records=len({item["record_id"] for item in items}),
        headline=headline,
        metrics=scores,
        sources=_by_source(items, headline),
    )


def _applies(metric: str, items: Sequence[dict[str, Any]]) -> bool:
    return any(score is not None for item in items for score in item["scores"][metric].values())


def _by_source(items: Sequence[dict[str, Any]], metric: str) -> dict[str, SourceScore]:
    found: dict[str, SourceScore] = {}
    for source in sorted({item["source"] for item in items}):
        of_it = [item for item in items if item["source"] == source]
        scored = [item for item in of_it if None not in item["scores"][metric].values()]
        if scored:
            mean: dict[str, float] = {}
            for model in scored[0]["scores"][metric]:
                fair = [item["scores"][metric][model] for item in scored if is_fair_to(model, item)]
                mean |= {model: math.fsum(fair) / len(fair)} if fair else {}
            found[source] = SourceScore(n=len(scored), mean=mean)
    return found


def _corrected(groups: Sequence[GroupScore]) -> tuple[tuple[GroupScore, ...], dict[str, int]]:
    """The groups with each p corrected for all comparisons with one opponent, and how many those are."""
    corrected: dict[tuple[str, str, str, str], float] = {}
    made: dict[str, int] = {}
    for opponent in OPPONENTS:
        raw = {
            (group.kind, group.language, metric.metric, opponent): metric.comparisons[opponent].p
            for group in groups
            for metric in group.metrics
            if opponent in metric.comparisons
        }
        corrected |= zip(raw, holm(list(raw.values())), strict=True)
        made |= {opponent: len(raw)} if raw else {}

    def changed(group: GroupScore) -> GroupScore:
        metrics = []
        for metric in group.metrics:
            comparisons = {
                opponent: comparison.model_copy(
                    update={"p_holm": corrected[group.kind, group.language, metric.metric, opponent]}
                )
                for opponent, comparison in metric.comparisons.items()
            }
            metrics.append(metric.model_copy(update={"comparisons": comparisons}))
        return group.model_copy(update={"metrics": tuple(metrics)})

    return tuple(map(changed, groups)), made


def _grades(predictions: Sequence[dict[str, Any]], models: Sequence[str]) -> dict[str, tuple[int, int, int, int, int]]:
    """How often each model was graded 1 to 5; empty where nothing was judged."""
    found: dict[str, tuple[int, int, int, int, int]] = {}
    for model in models:
        scores = [item["scores"].get("truthfulness", {}).get(model) for item in predictions if is_fair_to(model, item)]
        grades = [math.floor(score + 0.5) for score in scores if score is not None]
        if grades:
            found[model] = (grades.count(1), grades.count(2), grades.count(3), grades.count(4), grades.count(5))
    return found


def _blind(language: str, floor: float, config: EvaluateConfig) -> str | None:
    """Why the encoder cannot judge a language, or None where it can."""
    if floor <= config.max_floor:
        return None
    return (
        f"the encoder {config.encoder} cannot judge this language ({language}): references of different facts "
        f"score {floor:.2f} on average, above evaluate.max_floor {config.max_floor:.2f}; read chrF instead"
    )
