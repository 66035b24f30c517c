"""Lecture transcripts: their passages, and the pairs that were drawn from them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collected import Documents
from documents import Reader, WriteDocuments, passage
from tradewind.config import DataConfig
from tradewind.sources import transcript
from tradewind.sources.record import Passage

FILE = "transcript_data/success/lecture.jsonl"
GOOD = passage("A letter of credit is a promise.", [{"question": "What is it?", "answer": "A promise."}])


@pytest.fixture
def read(write_documents: WriteDocuments) -> _Read:
    return _Read(write_documents)


class _Read(Reader):
    """Read one file of passages, or the whole folder that `files` describes."""

    def __call__(self, lines: str, **files: str) -> Documents:
        return Documents.collect(transcript.read(self._write({FILE: lines} | files), DataConfig()))


def test_the_json_inside_json_is_read(read: _Read) -> None:
    (record,) = read(GOOD).records
    (pair,) = record.pairs
    assert (pair.question, pair.answer) == ("What is it?", "A promise.")
    assert (record.text, record.file, record.record_id) == ("A letter of credit is a promise.", FILE, f"{FILE}#1")


@pytest.mark.parametrize(
    "output",
    [
        {"qa_pairs": [{"question": "Q?", "answer": "A"}]},
        '```json\n{"qa_pairs": [{"question": "Q?", "answer": "A"}]}\n```',
        '```\n{"qa_pairs": [{"question": "Q?", "answer": "A"}]}```',
        '  {"qa_pairs": [{"question": " Q? ", "answer": "A"}]} ',
    ],
)
def test_pairs_as_an_object_or_in_a_code_fence_are_read_too(read: _Read, output: Any) -> None:
    (record,) = read(json.dumps({"context": "Text.", "json_output": output})).records
    assert [(pair.question, pair.answer) for pair in record.pairs] == [("Q?", "A")]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (["FAS", "FOB"], "FAS, FOB"),
        (["one"], "one"),
        ([1, "two"], "1, two"),
        (11, "11"),
        (2.5, "2.5"),
        ("a\n b", "a b"),
    ],
)
def test_an_answer_may_be_a_list_or_a_number(read: _Read, answer: Any, text: str) -> None:
    (record,) = read(passage("Text.", [{"question": "Q?", "answer": answer}])).records
    assert record.pairs[0].answer == text


@pytest.mark.parametrize("answer", ["", "  ", None, [], [""], ["", " "], [None], {"text": "A"}, True])
def test_an_empty_answer_is_rejected(read: _Read, answer: Any) -> None:
    found = read(passage("Text.", [{"question": "Q?", "answer": answer}]))
    assert not found.records
    assert [(item.file, item.place, item.reason) for item in found.rejected] == [(FILE, "line 1, pair 1", "no answer")]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (["FAS", None], "member 2 of the answer is null, not text"),
        ([{"text": "FAS"}, "FOB"], "member 1 of the answer is an object, not text"),
        (["FAS", True], "member 2 of the answer is a truth value, not text"),
        ([["FAS"]], "member 1 of the answer is a list, not text"),
    ],
)
def test_a_member_of_a_list_that_is_no_text_rejects_the_pair(read: _Read, answer: Any, reason: str) -> None:
    found = read(passage("Text.", [{"question": "Q?", "answer": answer}, {"question": 7, "answer": ["", "A"]}]))
    assert [(item.place, item.reason) for item in found.rejected] == [("line 1, pair 1", reason)]
    assert [(pair.question, pair.answer) for pair in found.records[0].pairs] == [("7", "A")]


def test_questions_with_the_same_answer_in_a_passage_are_one_fact(read: _Read) -> None:
    one = {"question": "Who publishes them?", "answer": "The ICC."}
    same = {"question": "Whose work are they?", "answer": "the icc."}
    other = {"question": "How many are there?", "answer": "Eleven."}
    first, second = read(passage("Text one.", [one, same, other]) + passage("Text two.", [one])).records
    facts = [pair.fact_id for pair in first.pairs]
    assert facts[0] == facts[1] != facts[2]
    assert second.pairs[0].fact_id not in facts


@pytest.mark.parametrize(
    ("line", "place", "reason"),
    [
        ('{"context": "cut off', "line 2", "broken JSON"),
        ('{"context": "Text.", "json_output": "no json"}', "line 2", "broken JSON"),
        ('{"context": "Text."}', "line 2", "json_output"),
        ('{"json_output": {"qa_pairs": []}}', "line 2", "context"),
        ('{"context": "Text.", "json_output": {}}', "line 2", "qa_pairs"),
        ('{"context": "Text.", "json_output": {"qa_pairs": {}}}', "line 2", "qa_pairs"),
        ('{"context": "Text.", "json_output": null}', "line 2", "qa_pairs"),
        ("[1]", "line 2", "json_output"),
        ('{"context": 7, "json_output": {"qa_pairs": []}}', "line 2", "context"),
        (passage("Text.", []).strip(), "line 2", "no pairs"),
        (passage("", [{"question": "Q?", "answer": "A"}]).strip(), "line 2, pair 1", "no context"),
        (passage("Text.", [{"answer": "A"}]).strip(), "line 2, pair 1", "no question"),
        (passage("Text.", ["Q?"]).strip(), "line 2, pair 1", "no question"),
    ],
)
def test_a_line_that_cannot_be_used_is_rejected_at_its_place_and_the_others_are_kept(
    read: _Read, line: str, place: str, reason: str
) -> None:
    found = read(f"{GOOD}{line}\n{GOOD}")
    assert [record.record_id for record in found.records] == [f"{FILE}#1", f"{FILE}#3"]
    (rejected,) = found.rejected
    assert (rejected.file, rejected.place) == (FILE, place)
    assert reason in rejected.reason
    assert rejected.excerpt


def test_blank_lines_count_for_places_and_are_no_rejections(read: _Read) -> None:
    found = read(f"\n{GOOD}\n{{\n")
    assert [record.record_id for record in found.records] == [f"{FILE}#2"]
    assert [item.place for item in found.rejected] == ["line 4"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\r\n"])
def test_only_a_line_feed_ends_a_line(read: _Read, separator: str) -> None:
    text = passage(f"One{separator}two.", [{"question": "Q?", "answer": "A"}])
    found = read(text + GOOD)
    assert not found.rejected
    assert [record.text for record in found.records] == ["One two.", "A letter of credit is a promise."]


def test_lecture_passages_are_split_at_blank_lines(read: _Read) -> None:
    lecture = {"transcript_data/lecture.txt": "First\npassage.\n\n \nSecond passage.\r\n\r\nThird.\n"}
    found = read(GOOD, **lecture)
    assert found.passages == [
        Passage("transcript_data/lecture.txt", text) for text in ("First passage.", "Second passage.", "Third.")
    ]
