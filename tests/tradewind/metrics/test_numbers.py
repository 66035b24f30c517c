"""Agreement of numbers, in digits and in words, in English and Korean."""

from __future__ import annotations

import math

import pytest

from tradewind.metrics.numbers import numbers


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("The duty is eight percent.", "The duty is twelve percent.", 0.0),
        ("The duty is eight percent.", "The duty is 8 %.", 1.0),
        ("The duty is high.", "The duty is 8 %.", 0.0),
        ("", "The duty is 8 %.", 0.0),
        ("Five banking days", "at most 5 banking days", 1.0),
        ("5 hours", "5 days", 0.0),
        ("Between 5 and 20 days", "between 5 and 10 days", 0.5),
        ("5 days", "between 5 and 10 days", 2 / 3),
        ("1 250 dollars", "$1,250", 1.0),
        ("two million euros", "2 million euros", 1.0),
        ("관세는 팔 퍼센트이다.", "관세는 십이 퍼센트이다.", 0.0),
        ("관세는 12%이다.", "관세는 십이 퍼센트이다.", 1.0),
        ("은행은 다섯 영업일 안에 심사한다.", "은행은 5영업일 안에 심사한다.", 1.0),
        ("3만 달러", "30,000달러", 1.0),
        ("세 가지이다.", "네 가지이다.", 0.0),
    ],
)
def test_amounts_that_differ_disagree(answer: str, reference: str, score: float) -> None:
    assert numbers([answer], [reference], [None])[0] == pytest.approx(score)


def test_a_reference_without_a_number_has_no_score() -> None:
    assert all(map(math.isnan, numbers(["8 %", "팔"], ["A tax on goods.", "수입품에 부과하는 세금"], [None, None])))


@pytest.mark.parametrize(("answer", "score"), [("2. 30 days", 1.0), ("2", 1.0), ("30 days", 1.0), ("1. 10 days", 0.0)])
def test_the_number_of_an_exam_option_is_not_an_amount(answer: str, score: float) -> None:
    assert numbers([answer], ["2. 30 days"], [{"1": "10 days", "2": "30 days"}]) == [score]
    assert math.isnan(numbers([answer], ["2. Sea"], [{"1": "Air", "2": "Sea"}])[0])
