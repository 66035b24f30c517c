"""Answers of models as they come: alone, wrapped, of another form, broken, cut off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tradewind.extraction.reply import Candidate, UnusableAnswerError, read_pairs, read_text, read_verdicts

PAIR = {"questions": ["What is FOB?", "FOB means what?"], "answer": "FOB means Free On Board."}
FACT = Candidate(("What is FOB?", "FOB means what?"), "FOB means Free On Board.")
PLAIN = json.dumps({"qa_pairs": [PAIR]})


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        f"```json\n{PLAIN}\n```",
        f"Here are the pairs you asked for:\n\n```\n{PLAIN}\n```\nI hope this helps!",
        f"Sure. {PLAIN} Anything else?",
        json.dumps([PAIR]),
        json.dumps({"thoughts": "none", "qa_pairs": [PAIR]}),
        PLAIN.replace("]}]}", "],}],}").replace('"]', '",]'),
        PLAIN.replace('"', "'"),
        PLAIN.replace('"qa_pairs"', "qa_pairs"),
        json.dumps({"qa_pairs": [PAIR | {"questions": [*PAIR["questions"], " What is\nFOB?"]}]}),
    ],
)
def test_the_pairs_are_found_whatever_wraps_them(text: str) -> None:
    assert read_pairs(text) == ([FACT], [])


@pytest.mark.parametrize(
    ("member", "read"),
    [
        ({"question": "Q?", "answer": "A."}, Candidate(("Q?",), "A.")),
        ({"question": "Q?", "answer": ["a", "b"]}, Candidate(("Q?",), "a, b")),
        ({"question": ["Q?", "R?"], "answer": 7}, Candidate(("Q?", "R?"), "7")),
        ({"questions": "Q?", "answer": "A."}, Candidate(("Q?",), "A.")),
        ({"questions": ["Q?", 3], "answer": "A."}, Candidate(("Q?",), "A.")),
    ],
)
def test_forms_that_models_drift_to_are_read(member: dict[str, Any], read: Candidate) -> None:
    assert read_pairs(json.dumps({"qa_pairs": [member]})) == ([read], [])


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ({"questions": [], "answer": "A."}, "no question"),
        ({"questions": [" "], "answer": "A."}, "no question"),
        ({"questions": ["Q?"]}, "no answer"),
        ({"questions": ["Q?"], "answer": {"text": "A."}}, "no answer"),
        ({"questions": ["Q?"], "answer": ["a", None]}, "no answer"),
        ({"questions": ["Q?"], "answer": True}, "no answer"),
        ({"questions": ["Q?"], "answer": "\ud800"}, "half of a character"),
        ("Q?", "no question"),
        (None, "no question"),
    ],
)
def test_a_member_that_is_no_pair_is_told_with_its_reason_and_the_others_are_kept(member: Any, reason: str) -> None:
    assert read_pairs(json.dumps({"qa_pairs": [member, PAIR]})) == ([FACT], [(member, reason)])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ("I cannot help with that.", "no JSON"),
        (PLAIN[:-20], "cut off"),
        (PLAIN[: PLAIN.index("Board")], "cut off"),
        ("{}", "qa_pairs"),
        ('{"qa_pairs": {"question": "Q?"}}', "qa_pairs"),
        ('{"hacked": true}', "qa_pairs"),
        ("[" * 100_000, "cut off"),
        ("[" * 100_000 + "]" * 100_000, "broken JSON|qa_pairs|no list"),
    ],
)
def test_what_holds_no_pairs_is_unusable_and_nothing_is_made_up(text: str, why: str) -> None:
    with pytest.raises(UnusableAnswerError, match=why):
        read_pairs(text)


def test_an_empty_list_is_an_answer() -> None:
    assert read_pairs('{"qa_pairs": []}') == ([], [])


def test_verdicts_are_read_in_the_order_of_the_pairs() -> None:
    text = json.dumps({"verdicts": [{"index": 2, "supported": False}, {"index": 1, "supported": True}]})
    assert read_verdicts(text, 2) == [True, False]


@pytest.mark.parametrize(
    "verdicts",
    [
        [],
        [{"index": 1, "supported": True}],
        [{"index": 1, "supported": True}, {"index": 3, "supported": True}],
        [{"index": 1, "supported": True}, {"index": 2, "supported": "yes"}],
        [{"index": 1, "supported": True}, {"index": 2, "supported": True}, {"index": 1, "supported": False}],
    ],
)
def test_verdicts_that_do_not_cover_each_pair_once_are_unusable(verdicts: list[Any]) -> None:
    with pytest.raises(UnusableAnswerError):
        read_verdicts(json.dumps({"verdicts": verdicts}), 2)


def test_an_empty_summary_is_unusable() -> None:
    assert read_text(" A\n summary. ") == "A summary."
    with pytest.raises(UnusableAnswerError):
        read_text(" \n ")
