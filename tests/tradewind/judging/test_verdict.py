"""Verdicts as they come, and what is none."""

from __future__ import annotations

import json

import pytest

from tradewind.asking.json_in_text import UnusableAnswerError
from tradewind.judging.verdict import Verdict, read_verdict

PLAIN = '{"reasoning": "It says\\nthe same.", "score": 5}'


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        f"```json\n{PLAIN}\n```",
        f"My verdict: {PLAIN} Anything else?",
        f'<think>{{"score": 2}}</think>{PLAIN}',
        f"{PLAIN}\n{PLAIN}",
    ],
)
def test_a_verdict_is_found_whatever_wraps_it(text: str) -> None:
    assert read_verdict(text) == Verdict("It says the same.", 5)


@pytest.mark.parametrize("score", [6, 0, -1, "five", "5", 3.5, 5.0, True, None, [5], 10**30])
def test_a_score_that_is_not_an_integer_from_1_to_5_is_no_verdict(score: object) -> None:
    with pytest.raises(UnusableAnswerError, match="asked was an integer from 1 to 5"):
        read_verdict(json.dumps({"reasoning": "x", "score": score}))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON object with a score"),
        ("I think it deserves a five.", "no JSON object with a score"),
        ("[5]", "no JSON object with a score"),
        (PLAIN[:-4], "no JSON object with a score"),
        ('{"reasoning": "x"}', "no JSON object with a score"),
        ('{"score": 5}', "without reasoning"),
        ('{"reasoning": " ", "score": 5}', "without reasoning"),
        ('{"reasoning": "\\ud800", "score": 5}', "half of a character"),
        (PLAIN + PLAIN.replace("5", "1"), "several verdicts that differ"),
        ('{"reasoning": "x", "score": 1, "score": 5}', "no JSON object with a score"),
    ],
)
def test_what_holds_no_single_verdict_is_unusable(text: str, why: str) -> None:
    with pytest.raises(UnusableAnswerError, match=why):
        read_verdict(text)
