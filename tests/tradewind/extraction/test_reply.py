"""Answers of models as they come: alone, wrapped, of another form, broken, cut off."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tradewind.asking.json_in_text import UnusableAnswerError, is_whole
from tradewind.extraction.reply import Candidate, read_pairs, read_text, read_verdicts

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


OTHER = {"questions": ["What is CIF?"], "answer": "Cost, Insurance and Freight."}
SECOND = Candidate(("What is CIF?",), "Cost, Insurance and Freight.")


@pytest.mark.parametrize(
    "answer", ['Write ```json {"a": 1}``` there.', "Use ```make run```.", "Put it in <think>.", 'Say {"qa_pairs": []}']
)
@pytest.mark.parametrize("around", ["{}", "```json\n{}\n```", "Sure:\n{}\nAnything else?"])
def test_marks_inside_an_answer_are_a_part_of_it(answer: str, around: str) -> None:
    text = around.replace("{}", json.dumps({"qa_pairs": [{"question": "Q?", "answer": answer}]}))
    assert read_pairs(text) == ([Candidate(("Q?",), answer)], [])


@pytest.mark.parametrize(
    "text",
    [
        f"Here are the pairs [1]: {PLAIN}",
        f"Of {{goods}} and [terms] [2] (see [3]): {PLAIN.replace(chr(34), chr(39))}. Anything else?",
        f'<think>The form is {{"qa_pairs": []}}, so: {json.dumps({"qa_pairs": [OTHER]})}</think>\n{PLAIN}',
        f'The form is {{"qa_pairs": []}}.</think>{PLAIN}',
        f"{PLAIN}<think>Was that all? [",
        f"<think>A {{draft}}</think>```json\n{PLAIN.replace(']}', '],}')}\n```",
        f"[{PLAIN}]",
        f'{{"result": {PLAIN}}}',
    ],
)
def test_what_stands_before_and_around_the_pairs_is_none_of_them(text: str) -> None:
    assert read_pairs(text) == ([FACT], [])


@pytest.mark.parametrize(
    "text",
    [
        PLAIN + "\n" + json.dumps({"qa_pairs": [OTHER]}),
        f"```json\n{PLAIN}\n```\nand\n```json\n{json.dumps([OTHER])}\n```",
        json.dumps([{"qa_pairs": [PAIR]}, {"qa_pairs": [OTHER]}]),
        json.dumps([{"qa_pairs": [PAIR]}, OTHER]),
    ],
)
def test_the_pairs_of_several_documents_are_taken_together(text: str) -> None:
    assert read_pairs(text) == ([FACT, SECOND], [])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (PLAIN[:-2], "cut off"),
        ('{"qa_pairs": [{"questions":["Q?"],"answer":"Use the set {1, 2}', "cut off"),
        (PLAIN + "\n" + PLAIN[:-20], "cut off"),
        (f"{PLAIN} and {{'qa_pairs': [{{'question': 'Q?' 'answer'}}]}}", "broken JSON"),
        ('{"qa_pairs": [{"question": "Q?", "answer": "it", "s": here"}]}', "broken JSON"),
        ('{"qa_pairs": [{"question": "Q?", "answer": "it"s here"}]}', "broken JSON"),
        ("{'qa_pairs': [{'question': 'Q?', 'answer': 'it', 's': 'here'}]}", "make up a key"),
        ('{"qa_pairs": [{"question": "Q?", "answer": "A."}], "qa_pairs": []}', "lose a part"),
        ('<think>{"qa_pairs": []}</think>', "no JSON"),
        ('<think>{"qa_pairs": []}', "no JSON"),
        ("As [1] says, I cannot help.", "no list"),
        ("Here is the list: [1, 2]", "no list"),
    ],
)
def test_a_part_that_cannot_be_read_makes_the_whole_unusable(text: str, why: str) -> None:
    with pytest.raises(UnusableAnswerError, match=why):
        read_pairs(text)


@pytest.mark.parametrize("number", ["NaN", "1e999", "-Infinity", '["a", NaN]'])
def test_a_number_that_no_text_means_is_no_answer(number: str) -> None:
    facts, faults = read_pairs(f'{{"qa_pairs": [{{"question": "Q?", "answer": {number}}}]}}')
    assert facts == []
    assert [reason for _, reason in faults] == ["no answer"]


def test_a_verdict_on_pair_true_is_none() -> None:
    with pytest.raises(UnusableAnswerError, match="without index"):
        read_verdicts('{"verdicts": [{"index": true, "supported": true}]}', 1)


@pytest.mark.parametrize(
    "text", ["[1," * 4000, '{"a":' * 400 + "x", '{"qa_pairs":[{"a":' * 100_000, '{"a":' * 900 + "1" + "}" * 900]
)
def test_deep_nesting_is_told_within_a_second_of_computing(text: str) -> None:
    began = time.thread_time()
    with pytest.raises(UnusableAnswerError):
        read_pairs(text)
    assert time.thread_time() - began < 1


@pytest.mark.parametrize(
    ("text", "whole"),
    [(PLAIN + "\n" * 500, True), (PLAIN[:-1], False), (f"{PLAIN} An", False), ("", False), ("[" * 100_000, False)],
)
def test_an_answer_that_only_white_space_was_cut_from_is_whole(text: str, whole: bool) -> None:
    assert is_whole(text) is whole
