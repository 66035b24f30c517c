"""Item scores to means, intervals and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from tradewind.config import EvaluateConfig, RunConfig
from tradewind.judging.record import JudgeRecord
from tradewind.kinds import KINDS, Kind
from tradewind.metrics.bootstrap import paired_bootstrap
from tradewind.metrics.item_scores import Floor, Group, Measured, groups_of
from tradewind.scores import METRIC_NAMES, GroupScore, Interval, MetricScore, Scores, SourceScore, Verdict


def summarise(
    predictions: Sequence[dict[str, Any]],
    models: Sequence[str],
    measured: Measured,
    config: RunConfig,
    judge_record: JudgeRecord | None = None,
) -> Scores:
    """The scores of an evaluation, groups in the order reworded, read, unseen, larger languages first."""
    found = groups_of(predictions)
    order = sorted(found, key=lambda group: (KINDS.index(cast("Kind", group[0])), -len(found[group])))
    groups = tuple(_group(group, [predictions[i] for i in found[group]], measured, config) for group in order)
    verdict, reason = _verdict(groups)
    judge = config.evaluate.judge
    size = len(predictions)
    return Scores(
        models=tuple(models),
        groups=groups,
        encoder=config.evaluate.encoder,
        encoder_max_length=measured.encoder_max_length,
        encoder_truncated=measured.encoder_truncated,
        hit_token_limit={name: sum(item["hit_token_limit"][name] for item in predictions) / size for name in models},
        encoder_revision=config.evaluate.encoder_revision,
        judge_record=judge_record,
        judge=judge.model if judge else "no judge is configured (evaluate.judge): truthfulness was not measured",
        verdict=verdict,
        verdict_reason=reason,
    )


def _group(group: Group, items: Sequence[dict[str, Any]], measured: Measured, config: RunConfig) -> GroupScore:
    metrics = [name for name in ("semscore", "chrf", "truthfulness") if name in items[0]["scores"]]
    floors = measured.floors[group]
    blind = _blind(group[1], measured.language_floors.get(group[1], 0.0), config.evaluate)
    notes = {"semscore": blind} if blind else {}
    scores = tuple(_metric(name, notes.get(name), items, floors.get(name, {}), config) for name in metrics)
    headline = next(score.metric for score in scores if score.usable)
    return GroupScore(
        kind=cast("Kind", group[0]),
        language=group[1],
        n=len(items),
        records=len({item["record_id"] for item in items}),
        headline=headline,
        metrics=scores,
        sources=_by_source(items, headline),
    )


def _by_source(items: Sequence[dict[str, Any]], metric: str) -> dict[str, SourceScore]:
    found: dict[str, SourceScore] = {}
    for source in sorted({item["source"] for item in items}):
        scores = [item["scores"][metric] for item in items if item["source"] == source]
        scores = [score for score in scores if None not in score.values()]
        if scores:
            mean = {model: float(np.mean([score[model] for score in scores])) for model in scores[0]}
            found[source] = SourceScore(n=len(scores), mean=mean)
    return found


def _metric(
    name: str, note: str | None, items: Sequence[dict[str, Any]], floors: dict[str, Floor], config: RunConfig
) -> MetricScore:
    models = list(items[0]["answers"])
    # Only items that every model has a score for: the models are compared on the same questions.
    scored = [at for at, item in enumerate(items) if all(item["scores"][name][model] is not None for model in models)]
    values = {model: np.asarray([items[at]["scores"][name][model] for at in scored]) for model in models}
    floor = {model: float(np.nanmean(found)) for model, found in floors.items() if not np.isnan(found).all()}

    def interval(differences: npt.NDArray[np.float64]) -> Interval | None:
        if len(scored) < config.split.min_items or np.isnan(differences).any():
            return None
        return paired_bootstrap(
            differences,
            [items[at]["record_id"] for at in scored],
            resamples=config.evaluate.bootstrap_resamples,
            confidence_level=config.evaluate.confidence_level,
            seed=config.seed,
        )

    tuned = "tuned" in models
    return MetricScore(
        metric=name,
        mean={model: float(values[model].mean()) for model in models} if scored else {},
        floor=floor,
        scored=len(scored),
        unscored=len(items) - len(scored),
        tuned_minus_base=interval(values["tuned"] - values["base"]) if tuned else None,
        tuned_minus_floor=interval(values["tuned"] - floors["tuned"][scored]) if tuned and "tuned" in floors else None,
        usable=note is None,
        note=note,
    )


def _blind(language: str, floor: float, config: EvaluateConfig) -> str | None:
    """Why the encoder cannot judge a language, or None where it can."""
    if floor <= config.max_floor:
        return None
    return (
        f"the encoder {config.encoder} cannot judge this language ({language}): references of different facts "
        f"score {floor:.2f} on average, above evaluate.max_floor {config.max_floor:.2f}; read chrF instead"
    )


def _verdict(groups: Sequence[GroupScore]) -> tuple[Verdict, str]:
    """From the first kind that was measured, the largest language first: what users of the model ask."""
    for group in groups:
        interval = group.metric(group.headline).tuned_minus_base
        if interval is None:
            continue
        where = f"{METRIC_NAMES[group.headline]} on {group.kind} questions ({group.language}, n={group.n})"
        level = f"{interval.confidence_level:.0%} interval"
        span = f"{interval.difference:+.3f}, {level} {interval.low:+.3f} to {interval.high:+.3f}"
        floor = group.metric(group.headline).tuned_minus_floor
        if interval.low > 0 and floor is not None and floor.low <= 0:
            return "no difference shown", (
                f"tuned is above base by {where}: {span}, but not above its floor "
                f"({floor.difference:+.3f}, {floor.low:+.3f} to {floor.high:+.3f}): they fit any question as well"
            )
        if interval.low > 0:
            return "better", f"tuned is above base by {where}: {span}"
        if interval.high < 0:
            return "worse", f"tuned is below base by {where}: {span}"
        return "no difference shown", f"the interval holds 0 for {where}: {span}"
    return "no difference shown", "no kind of held-out question has an interval"
