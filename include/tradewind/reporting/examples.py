"""The held-out questions that training helped most and least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tradewind.reporting.contract import Example
from tradewind.scores import Scores

SHOWN = 20


def best_and_worst(scores: Scores, predictions: Sequence[Mapping[str, Any]]) -> tuple[list[Example], list[Example]]:
    """The items with the greatest and the least gain of tuned over base in the headline metric of their group.

    The best come with the greatest first, the worst with the least first; no item stands in both.
    """
    first, last = scores.models[0], "tuned" if "tuned" in scores.models else scores.models[-1]
    headline = {(group.kind, group.language): group.headline for group in scores.groups}
    found: list[tuple[float, str, Example]] = []
    for item in predictions:
        metric = headline[item["kind"], item["language"]]
        score = item["scores"][metric]
        if score.get(first) is not None and score.get(last) is not None:
            difference = score[last] - score[first]
            found.append((-difference, str(item["id"]), _example(item, metric, difference)))
    found.sort(key=lambda entry: entry[:2])
    examples = [example for *_, example in found]
    best = examples[: min(SHOWN, (len(examples) + 1) // 2)]
    return best, examples[len(best) :][::-1][:SHOWN]


def _example(item: Mapping[str, Any], metric: str, difference: float) -> Example:
    grades = item["scores"].get("truthfulness", {})
    return Example(
        kind=item["kind"],
        language=item["language"],
        question=item["question"],
        reference=item["answer"],
        answers=item["answers"],
        metric=metric,
        score={model: score for model, score in item["scores"][metric].items() if score is not None},
        difference=difference,
        grades={model: grade for model, grade in grades.items() if grade is not None},
        reasoning={
            model: judgement["reasoning"]
            for model, judgement in item.get("judgements", {}).items()
            if judgement["reasoning"]
        },
    )
