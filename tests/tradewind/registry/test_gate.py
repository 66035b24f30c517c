"""The gate's word on scores of every shape."""

from __future__ import annotations

import pytest

from finished_run import comparison, gain_of, group, metric, scores_of
from tradewind.config import GateConfig, GateRule
from tradewind.registry.gate import Decision, Difference, decide
from tradewind.scores import Comparison, GroupScore, Interval, MetricScore, Scores

DIFFERENT = Difference(tensors=30, changed_tensors=14, answers=40, changed_answers=31)


def _decide(
    scores: Scores, *, champion: str | None = None, difference: Difference = DIFFERENT, **config: tuple[GateRule, ...]
) -> Decision:
    return decide(scores, champion=champion, difference=difference, config=GateConfig(**config))


def _sem(value: Comparison | None, other: str = "base") -> MetricScore:
    return metric("semscore", {other: value} if value else {})


def _three(reworded: Comparison | None, read: Comparison | None, unseen: Comparison | None) -> tuple[GroupScore, ...]:
    return group("reworded", _sem(reworded)), group("read", _sem(read)), group("unseen", _sem(unseen))


GAIN, EQUAL, LOSS = comparison(0.2), comparison(0.0), comparison(-0.2)


def test_a_clear_gain_without_a_loss_is_let_through_and_every_condition_named_with_its_figures() -> None:
    found = _decide(scores_of(*_three(GAIN, EQUAL, EQUAL)))
    assert found.promote
    assert found.reasons == (
        "14 of 30 weight tensors differ from those before the training",
        "31 of 40 answers differ from the base's",
        "SemScore on reworded questions (en, n=40): tuned is above base, +0.200 (95% interval +0.150 to +0.250)",
        (
            "SemScore on read questions (en, n=40): no significant loss of tuned against base, "
            "+0.000 (95% interval -0.050 to +0.050)"
        ),
        (
            "SemScore on unseen questions (en, n=40): no significant loss of tuned against base, "
            "+0.000 (95% interval -0.050 to +0.050)"
        ),
        "truthfulness was not measured: no judge is configured",
    )


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        ((EQUAL, EQUAL, EQUAL), "SemScore on reworded questions (en, n=40): the interval holds 0 for tuned minus base"),
        ((LOSS, EQUAL, EQUAL), "SemScore on reworded questions (en, n=40): tuned is below base, -0.200 "),
        ((GAIN, LOSS, EQUAL), "SemScore on read questions (en, n=40): tuned is below base, -0.200 "),
        ((GAIN, EQUAL, LOSS), "SemScore on unseen questions (en, n=40): tuned is below base, -0.200 "),
        ((None, EQUAL, EQUAL), "SemScore on reworded questions (en, n=40): no interval of tuned minus base"),
        ((GAIN, None, EQUAL), "SemScore on read questions (en, n=40): no interval of tuned minus base"),
    ],
)  # fmt: skip
def test_one_thing_against_it_is_enough_and_is_the_only_reason(
    kinds: tuple[Comparison | None, ...], reason: str
) -> None:
    found = _decide(scores_of(*_three(*kinds)))
    assert not found.promote
    assert len(found.reasons) == 1
    assert found.reasons[0].startswith(reason)


def test_an_interval_that_only_touches_zero_is_no_gain() -> None:
    touching = GAIN.model_copy(update={"low": 0.0})
    assert not _decide(scores_of(*_three(touching, EQUAL, EQUAL))).promote


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_not_a_number_never_promotes(place: int) -> None:
    kinds = [GAIN, EQUAL, EQUAL]
    kinds[place] = comparison(float("nan"))
    assert not _decide(scores_of(*_three(*kinds))).promote


def test_a_champion_is_what_counts_where_there_is_one() -> None:
    assert _decide(gain_of(0.2, "base", "champion"), champion="v3").promote
    better_than_base_only = scores_of(
        *(group(kind, metric("semscore", {"base": GAIN, "champion": EQUAL})) for kind in ("reworded", "read", "unseen"))
    )
    found = _decide(better_than_base_only, champion="v3")
    assert found.reasons == (
        (
            "SemScore on reworded questions (en, n=40): the interval holds 0 for tuned minus champion v3, "
            "+0.000 (95% interval -0.050 to +0.050)"
        ),
    )
    assert not _decide(gain_of(0.2, "base"), champion="v3").promote


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({"changed_tensors": 0}, "0 of 30 weight tensors differ from those before the training"),
        ({"changed_answers": 0}, "0 of 40 answers differ from the base's"),
    ],
)
def test_a_model_that_is_its_base_is_never_promoted(counts: dict[str, int], reason: str) -> None:
    found = _decide(gain_of(0.2, "base"), difference=DIFFERENT.model_copy(update=counts))
    assert found == Decision(promote=False, reasons=(reason,))


def test_where_the_encoder_is_blind_the_headline_stands_in_for_semscore() -> None:
    def blind(kind: str, difference: Comparison) -> GroupScore:
        sem = metric("semscore", {"base": GAIN}, usable=False, note="the encoder cannot judge this language")
        return group(kind, sem, metric("chrf", {"base": difference}), language="ko", headline="chrf")

    assert _decide(scores_of(blind("reworded", GAIN), blind("read", EQUAL), blind("unseen", EQUAL))).promote
    found = _decide(scores_of(blind("reworded", EQUAL), blind("read", EQUAL), blind("unseen", LOSS)))
    assert [reason.split(":")[0] for reason in found.reasons] == [
        "chrF on reworded questions (ko, n=40)",
        "chrF on unseen questions (ko, n=40)",
    ]


def test_answers_that_fit_any_question_as_well_are_not_promoted() -> None:
    floor = Interval(difference=0.01, low=-0.02, high=0.04, confidence_level=0.95)
    reworded = group("reworded", metric("semscore", {"base": GAIN}, tuned_minus_floor=floor))
    found = _decide(scores_of(reworded, *_three(GAIN, EQUAL, EQUAL)[1:]))
    assert not found.promote
    assert "not above its floor (+0.010, -0.020 to +0.040)" in found.reasons[0]


def test_a_gain_whose_floor_has_no_interval_is_not_promoted() -> None:
    reworded = group("reworded", metric("semscore", {"base": GAIN}, floor={"tuned": 0.2}))
    found = _decide(scores_of(reworded, *_three(GAIN, EQUAL, EQUAL)[1:]))
    assert not found.promote
    assert found.reasons[0].endswith("but its difference from its floor has no interval")


def test_truthfulness_counts_on_every_kind_once_a_judge_has_spoken() -> None:
    def judged(kind: str, value: Comparison | None) -> GroupScore:
        return group(kind, _sem(GAIN), metric("truthfulness", {"base": value} if value else {}))

    fine = [judged("reworded", GAIN), judged("read", EQUAL)]
    assert _decide(scores_of(*fine, judged("unseen", EQUAL), judge="a judge")).promote
    assert not _decide(scores_of(*fine, judged("unseen", LOSS), judge="a judge")).promote
    unjudged = _decide(scores_of(*fine, judged("unseen", None), judge="a judge"))
    assert unjudged.reasons == (
        "truthfulness on unseen questions (en, n=40): no interval of tuned minus base, so nothing is known of it",
    )


def test_a_required_metric_that_was_not_measured_never_promotes() -> None:
    for metric_name, name in (("truthfulness", "truthfulness"), ("exact_match", "exact match")):
        found = _decide(gain_of(0.2, "base"), require=(GateRule(metric=metric_name, kind="reworded"),))
        assert found == Decision(promote=False, reasons=(f"{name} was not measured",))
    assert not _decide(gain_of(0.2, "base"), no_loss=(GateRule(metric="numbers"),)).promote


def test_a_kind_that_nothing_was_held_out_of_is_not_passed_over() -> None:
    scores = scores_of(*_three(GAIN, EQUAL, EQUAL)[:2])
    assert _decide(scores).reasons == (
        "SemScore: no unseen question was held out; see split.unseen, or change the gate",
    )
    assert _decide(scores, no_loss=(GateRule(kind="read"),)).promote


def test_the_largest_language_must_gain_and_no_other_may_lose() -> None:
    others = _three(GAIN, EQUAL, EQUAL)

    def with_korean(value: Comparison | None, n: int = 9) -> Decision:
        return _decide(scores_of(*others, group("reworded", _sem(value), language="ko", n=n)))

    assert with_korean(EQUAL).promote
    assert not with_korean(LOSS).promote
    assert not with_korean(EQUAL, n=90).promote
    small = with_korean(None, n=3)
    assert small.promote
    assert any("(ko, n=3): no interval" in reason for reason in small.reasons)


def test_the_recipe_s_rule_replaces_the_default() -> None:
    loss_on_read = scores_of(*_three(EQUAL, LOSS, GAIN))
    assert _decide(loss_on_read, require=(GateRule(kind="unseen"),), no_loss=()).promote
    every = _decide(loss_on_read, require=(GateRule(),), no_loss=())
    assert [reason.split(" questions")[0] for reason in every.reasons] == ["SemScore on reworded", "SemScore on read"]
