"""From item scores to a verdict: what counts as better, and what must not."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from tradewind.config import RunConfig
from tradewind.metrics.item_scores import Measured, groups_of
from tradewind.metrics.summary import summarise
from tradewind.reporting.notes import against_champion, notes
from tradewind.scores import Scores

MODELS = ("base", "tuned")
CONFIG = RunConfig(recipe="r", data_dir="d", seed=1)


def _item(at: int, kind: str = "reworded", record: str | None = None, **scores: Any) -> dict[str, Any]:
    models = next(iter(scores.values()))
    return {
        "id": f"i{at:03}", "kind": kind, "language": "en", "record_id": record or str(at), "fact_id": str(at),
        "source": "term", "answers": dict.fromkeys(models, "x"), "hit_token_limit": dict.fromkeys(models, False),
        "scores": scores,
    }  # fmt: skip


def _measured(items: list[dict[str, Any]], floor: float = 0.0, reference_floor: float = 0.2) -> Measured:
    measured = Measured(256, 0.0, language_floors={"en": reference_floor})
    for group, members in groups_of(items).items():
        floors = dict.fromkeys(items[0]["answers"], np.full(len(members), floor))
        measured.floors[group] = {"semscore": floors, "chrf": floors}
    return measured


def _summarised(items: list[dict[str, Any]], **more: Any) -> Scores:
    return summarise(items, list(items[0]["answers"]), _measured(items, **more), CONFIG)


def _scores(base: float, tuned: float, floor: float, *, n: int = 30, reference_floor: float = 0.2) -> Scores:
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 0.02, (2, n))
    items = [
        _item(at, semscore=score, chrf=dict(score))
        for at, score in enumerate({"base": base + one, "tuned": tuned + two} for one, two in noise.T)
    ]
    return _summarised(items, floor=floor, reference_floor=reference_floor)


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


@pytest.mark.parametrize("n", [1, 4])
def test_too_few_items_get_no_interval_and_no_verdict_and_are_told_why(n: int) -> None:
    scores = _scores(0.1, 0.9, 0.1, n=n)
    metric = scores.groups[0].metric("semscore")
    assert metric.comparisons == {}
    assert metric.mean["tuned"] == pytest.approx(0.9, abs=0.1)
    assert scores.verdict == "no difference shown"
    assert f"only {n} question{'s were' if n > 1 else ' was'} scored" in (metric.no_interval or "")
    assert (metric.no_interval or "?") in scores.verdict_reason


def test_questions_about_one_record_get_no_interval() -> None:
    items = [_item(at, record="one", semscore={"base": 0.1, "tuned": at / 20}) for at in range(20)]
    assert "about one record" in (_summarised(items).groups[0].metric("semscore").no_interval or "")


def test_few_records_that_all_differ_alike_show_nothing_and_are_told_why() -> None:
    items = [_item(at, record=f"r{at % 2}", chrf={"base": 0.0, "tuned": 1.0}) for at in range(8)]
    scores = _summarised(items)
    (metric,) = scores.groups[0].metrics
    assert metric.comparisons == {}
    assert metric.no_interval == "no interval: too few records (2), which all differ alike"
    assert scores.verdict == "no difference shown"
    assert metric.no_interval in scores.verdict_reason


def test_a_gain_of_which_nothing_tells_whether_it_is_above_its_floor_is_not_better() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.02, 8)
    items = [_item(at, record=f"r{at % 2}", semscore={"base": 0.4 + noise[at % 2], "tuned": 0.9}) for at in range(8)]
    scores = _summarised(items, floor=0.95)
    assert scores.groups[0].metrics[0].tuned_minus_base is not None
    assert scores.verdict == "no difference shown"


def test_where_references_are_alike_to_the_encoder_chrf_is_the_headline() -> None:
    (group,) = _scores(0.3, 0.7, 0.2, reference_floor=0.9).groups
    assert group.headline == "chrf"
    assert "cannot judge this language" in (group.metric("semscore").note or "")


def test_an_item_that_one_model_has_no_score_for_is_left_out_of_all() -> None:
    items = [
        _item(
            at, "read", semscore={"base": 0.1, "tuned": 0.2},
            truthfulness={"base": 1.0, "tuned": None if at == 0 else 5.0},
        )
        for at in range(10)
    ]  # fmt: skip
    scores = _summarised(items)
    metric = scores.groups[0].metric("truthfulness")
    assert (metric.scored, metric.unscored) == (9, 1)
    assert metric.mean == {"base": 1.0, "tuned": 5.0}
    assert scores.grades == {"base": (10, 0, 0, 0, 0), "tuned": (0, 0, 0, 0, 9)}


def test_where_nothing_has_a_semscore_the_next_metric_is_read_first() -> None:
    items = [_item(at, semscore={"base": 0.1, "tuned": None}, chrf={"base": 0.1, "tuned": 0.2}) for at in range(10)]
    (group,) = _summarised(items).groups
    assert group.headline == "chrf"
    assert group.metric("semscore").unscored == 10


def test_a_question_that_a_metric_does_not_apply_to_is_not_unscored() -> None:
    items = [
        _item(
            at, semscore={"base": 0.1, "tuned": 0.2}, numbers={"base": None, "tuned": None},
            exact_match={"base": 0.0, "tuned": 1.0} if at < 9 else {"base": None, "tuned": None},
        )
        for at in range(12)
    ]  # fmt: skip
    (group,) = _summarised(items).groups
    assert [metric.metric for metric in group.metrics] == ["semscore", "exact_match"]
    assert (group.metric("exact_match").scored, group.metric("exact_match").unscored) == (9, 0)


def test_the_headline_is_given_by_kind_of_document_too() -> None:
    (group,) = _scores(0.3, 0.7, 0.2).groups
    assert group.sources["term"].n == 30
    assert group.sources["term"].mean["tuned"] == pytest.approx(group.metric("semscore").mean["tuned"])


def _night(seed: int = 0) -> list[dict[str, Any]]:
    """Questions of three kinds, three models, two metrics."""
    rng = np.random.default_rng(seed)
    return [
        _item(
            at, ("reworded", "read", "unseen")[at % 3], record=str(at // 2),
            **{metric: dict(zip(("base", "tuned", "champion"), rng.random(3).round(6), strict=True))
               for metric in ("semscore", "chrf")},
        )
        for at in range(90)
    ]  # fmt: skip


def test_the_champion_is_compared_beside_the_base_and_p_corrected_for_each() -> None:
    scores = _summarised(_night())
    assert scores.comparisons_made == {"base": 6, "champion": 6}
    for opponent in ("base", "champion"):
        found = [metric.comparisons[opponent] for group in scores.groups for metric in group.metrics]
        assert min(comparison.p_holm or 0 for comparison in found) == min(
            1.0, 6 * min(comparison.p for comparison in found)
        )
        assert all(comparison.n == 30 for comparison in found)


def _learnt(count: int) -> list[dict[str, Any]]:
    """30 questions, of which the champion has learnt the first `count`, which it answers best."""
    rng = np.random.default_rng(5)
    items = []
    for at in range(30):
        tuned, champion = rng.random(2).round(6) / 2
        values = {"base": 0.1, "tuned": tuned, "champion": 0.95 if at < count else champion}
        grades = {"base": 1.0, "tuned": 3.0, "champion": 5.0 if at < count else 2.0}
        items.append(
            _item(at, semscore=values, truthfulness=grades) | ({"known_to": ["champion"]} if at < count else {})
        )
    return items


def test_what_the_champion_has_learnt_counts_in_none_of_its_figures() -> None:
    items = _learnt(12)
    scores = _summarised(items)
    metric = scores.groups[0].metric("semscore")
    found = metric.comparisons["champion"]
    fair = [item["scores"]["semscore"] for item in items[12:]]
    means = {model: sum(item[model] for item in fair) / 18 for model in ("tuned", "champion")}
    assert found.n == 18
    assert found.means == pytest.approx(means)
    assert found.difference == pytest.approx(found.means["tuned"] - found.means["champion"])
    assert metric.mean["champion"] == scores.groups[0].sources["term"].mean["champion"] == found.means["champion"]
    assert metric.comparisons["base"].means == pytest.approx({"base": 0.1, "tuned": metric.mean["tuned"]})
    assert scores.grades == {"base": (30, 0, 0, 0, 0), "tuned": (0, 0, 30, 0, 0), "champion": (0, 18, 0, 0, 0)}


@pytest.mark.parametrize("learnt", [28, 30])
def test_where_the_champion_has_learnt_nearly_all_it_is_said_why_it_is_not_compared(learnt: int) -> None:
    scores = _summarised(_learnt(learnt))
    metric = scores.groups[0].metric("semscore")
    assert set(metric.comparisons) == {"base"}
    assert metric.no_interval is None
    why = f"only {30 - learnt} questions that the champion has not learnt were scored, and split.min_items is 8"
    assert metric.no_comparison == {"champion": f"no interval: {why}"}
    assert f"reworded (en), SemScore, champion: no interval: {why}" in notes(scores)
    assert f"no interval by SemScore on reworded (en): {why}" in (against_champion(scores) or "")
    assert ("champion" in metric.mean) is (learnt < 30)


@pytest.mark.parametrize("seed", range(3))
def test_shuffling_and_running_again_change_no_figure(seed: int) -> None:
    items = _night()
    before = _summarised(items).model_dump_json()
    assert _summarised(_night()).model_dump_json() == before
    random.Random(seed).shuffle(items)
    assert _summarised(items).model_dump_json() == before


def test_swapping_the_names_of_base_and_tuned_negates_every_comparison() -> None:
    items = _night()
    before = _summarised(items)
    for item in items:
        for values in item["scores"].values():
            values["base"], values["tuned"] = values["tuned"], values["base"]
    for group, swapped in zip(before.groups, _summarised(items).groups, strict=True):
        for metric, other in zip(group.metrics, swapped.metrics, strict=True):
            one, two = metric.comparisons["base"], other.comparisons["base"]
            assert (one.difference, one.low, one.high) == (-two.difference, -two.high, -two.low)
            assert (one.p, one.p_holm, one.wins, one.losses) == (two.p, two.p_holm, two.losses, two.wins)
