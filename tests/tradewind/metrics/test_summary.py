"""From item scores to a verdict: what counts as better, and what must not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tradewind.config import RunConfig
from tradewind.metrics.item_scores import Measured, groups_of
from tradewind.metrics.summary import summarise
from tradewind.scores import Scores

MODELS = ("base", "tuned")


def _scores(base: float, tuned: float, floor: float, *, n: int = 30, reference_floor: float = 0.2) -> Scores:
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 0.02, (2, n))
    items: list[dict[str, Any]] = [
        {
            "kind": "reworded", "language": "en", "record_id": str(at), "fact_id": str(at), "source": "term",
            "answers": dict.fromkeys(MODELS, "x"), "hit_token_limit": {"base": at == 0, "tuned": False},
            "scores": {
                metric: {"base": base + noise[0, at], "tuned": tuned + noise[1, at]} for metric in ("semscore", "chrf")
            },
        }
        for at in range(n)
    ]  # fmt: skip
    measured = Measured(256, 0.0, {"en": reference_floor})
    floors = {"base": np.full(n, floor), "tuned": np.full(n, floor)}
    for group in groups_of(items):
        measured.floors[group] = {"semscore": floors, "chrf": floors}
    return summarise(items, MODELS, measured, RunConfig(recipe="r", data_dir="d", seed=1))


@pytest.mark.parametrize(
    ("base", "tuned", "floor", "verdict"),
    [
        (0.3, 0.7, 0.2, "better"),
        (0.7, 0.3, 0.2, "worse"),
        (0.5, 0.5, 0.2, "no difference shown"),
        (0.1, 0.2, 0.2, "no difference shown"),
    ],
    ids=["above", "below", "equal", "above its base but at its floor"],
)
def test_the_verdict_needs_an_interval_clear_of_zero_and_answers_above_their_floor(
    base: float, tuned: float, floor: float, verdict: str
) -> None:
    assert _scores(base, tuned, floor).verdict == verdict


def test_a_gain_at_the_floor_says_why_it_is_none() -> None:
    assert "not above its floor" in _scores(0.1, 0.2, 0.2).verdict_reason


def test_too_few_items_get_no_interval_and_no_verdict() -> None:
    scores = _scores(0.1, 0.9, 0.1, n=4)
    assert scores.groups[0].metric("semscore").tuned_minus_base is None
    assert scores.verdict == "no difference shown"


def test_where_references_are_alike_to_the_encoder_chrf_is_the_headline() -> None:
    (group,) = _scores(0.3, 0.7, 0.2, reference_floor=0.9).groups
    assert group.headline == "chrf"
    assert "cannot judge this language" in (group.metric("semscore").note or "")


def test_an_item_that_one_model_has_no_score_for_is_left_out_of_all() -> None:
    items: list[dict[str, Any]] = [
        {
            "kind": "read", "language": "en", "record_id": str(at), "fact_id": str(at), "source": "term",
            "answers": dict.fromkeys(MODELS, "x"), "hit_token_limit": dict.fromkeys(MODELS, False),
            "scores": {
                "semscore": {"base": 0.1, "tuned": 0.2},
                "truthfulness": {"base": 1.0, "tuned": None if at == 0 else 5.0},
            },
        }
        for at in range(10)
    ]  # fmt: skip
    measured = Measured(256, 0.0)
    measured.floors["read", "en"] = {"semscore": {"reference": np.zeros(10)}}
    metric = summarise(items, MODELS, measured, RunConfig(recipe="r", data_dir="d")).groups[0].metric("truthfulness")
    assert (metric.scored, metric.unscored) == (9, 1)
    assert metric.mean == {"base": 1.0, "tuned": 5.0}


def test_the_headline_is_given_by_kind_of_document_too() -> None:
    (group,) = _scores(0.3, 0.7, 0.2).groups
    assert group.sources["term"].n == 30
    assert group.sources["term"].mean["tuned"] == pytest.approx(group.metric("semscore").mean["tuned"])
