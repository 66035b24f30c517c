"""Glossaries: each term makes two pairs, in the templates of its language."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collected import Documents
from documents import Reader, WriteDocuments
from tradewind.config import DataConfig, QuestionTemplates
from tradewind.sources import glossary
from tradewind.sources.record import Record


@pytest.fixture
def read(write_documents: WriteDocuments) -> _Read:
    return _Read(write_documents)


class _Read(Reader):
    """Read one glossary with this content."""

    def __call__(self, content: object, config: DataConfig | None = None) -> Documents:
        folder = self._write({"term_data/terms.json": content})
        return Documents.collect(glossary.read(folder, config or DataConfig()))


def _questions(record: Record) -> list[tuple[str, str]]:
    return [(pair.question, pair.answer) for pair in record.pairs]


def test_a_korean_term_makes_the_original_project_s_two_questions(read: _Read) -> None:
    (record,) = read(
        [{"kor_term": "신용장", "eng_term": "Letter of Credit", "description": "은행의 지급 확약이다."}]
    ).records
    assert _questions(record) == [
        ("설명: '은행의 지급 확약이다.' 이 설명에 해당하는 무역 용어는 무엇인가요?", "신용장"),
        ("'신용장(Letter of Credit)' 이라는 무역 용어는 어떤 의미인가요?", "은행의 지급 확약이다."),
    ]
    assert record.language == "ko"
    assert record.text == "신용장 (Letter of Credit): 은행의 지급 확약이다."


def test_without_an_english_term_its_brackets_vanish(read: _Read) -> None:
    (record,) = read([{"kor_term": "신용장", "description": "은행의 지급 확약이다."}]).records
    assert record.pairs[1].question == "'신용장' 이라는 무역 용어는 어떤 의미인가요?"
    assert record.text == "신용장: 은행의 지급 확약이다."


def test_an_english_term_is_asked_in_english(read: _Read) -> None:
    (record,) = read([{"term": "Demurrage", "description": "Charge for a ship's delay."}]).records
    assert _questions(record) == [
        ("Description: 'Charge for a ship's delay.' Which trade term does this description define?", "Demurrage"),
        ("What does the trade term 'Demurrage' mean?", "Charge for a ship's delay."),
    ]


def test_a_term_is_asked_in_its_own_language_whatever_empty_keys_stand_beside_it(read: _Read) -> None:
    (record,) = read([{"kor_term": "", "term": "Demurrage", "description": "Charge for a delay."}]).records
    assert record.language == "en"


def test_both_questions_of_a_term_are_one_fact(read: _Read) -> None:
    first, second = read(
        [{"term": "A", "description": "One thing."}, {"term": "B", "description": "Other thing."}]
    ).records
    assert len({pair.fact_id for pair in first.pairs}) == 1
    assert first.pairs[0].fact_id != second.pairs[0].fact_id
    assert len({pair.pair_id for pair in (*first.pairs, *second.pairs)}) == 4


def test_templates_are_configurable(read: _Read) -> None:
    own = QuestionTemplates(description_to_term="Name it: {description}", term_to_description="{term} / {eng_term}?")
    config = DataConfig(templates={"en": own})
    (record,) = read(
        [{"term": "Lead time", "eng_term": "LT", "description": "Time from order to arrival."}], config
    ).records
    assert [pair.question for pair in record.pairs] == ["Name it: Time from order to arrival.", "Lead time / LT?"]


def test_braces_in_a_description_are_text_not_placeholders(read: _Read) -> None:
    (record,) = read([{"term": "Set", "description": "Written {term} or {0}."}]).records
    assert record.pairs[0].question.startswith("Description: 'Written {term} or {0}.'")


def test_doubled_braces_in_a_template_are_single_ones(read: _Read) -> None:
    own = QuestionTemplates(description_to_term="{{0}} {description} 100 %s", term_to_description="{term}{{}}")
    (record,) = read([{"term": "Set", "description": "A {group}."}], DataConfig(templates={"en": own})).records
    assert [pair.question for pair in record.pairs] == ["{0} A {group}. 100 %s", "Set{}"]


def test_a_language_without_templates_is_rejected(read: _Read) -> None:
    english_only = DataConfig(templates={"en": DataConfig().templates["en"]})
    found = read([{"kor_term": "신용장", "description": "은행의 지급 확약이다."}], english_only)
    assert not found.records
    assert [item.reason for item in found.rejected] == ["no question templates for the language 'ko'"]


def test_lists_of_lists_are_read_and_places_name_both_indices(read: _Read) -> None:
    found = read([[{"term": "A", "description": "First."}], [{"term": "B"}, {"term": "C", "description": "Third."}]])
    assert [record.record_id for record in found.records] == ["term_data/terms.json#0.0", "term_data/terms.json#1.1"]
    assert [(item.file, item.place) for item in found.rejected] == [("term_data/terms.json", "entry 1.0")]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"description": "d"}, "no term"),
        ({"term": "  ", "description": "d"}, "no term"),
        ({"term": "t"}, "no description"),
        ({"term": "t", "description": ""}, "no description"),
        ({"term": "t", "description": ["d"]}, "no description"),
        ("t", "not an object with a term and a description"),
        (None, "not an object with a term and a description"),
        (
            json.loads("[" * 40 + '{"term": "too", "description": "deep"}' + "]" * 40),
            "not an object with a term and a description",
        ),
    ],
)
def test_an_entry_without_term_and_description_is_rejected_with_reason_and_place(
    read: _Read, entry: Any, reason: str
) -> None:
    found = read([{"term": "Good", "description": "Kept."}, entry])
    assert len(found.records) == 1
    (rejected,) = found.rejected
    assert rejected.reason == reason
    assert rejected.place.startswith("entry 1")
    assert rejected.file == "term_data/terms.json"


def test_a_file_that_is_no_list_is_rejected(read: _Read) -> None:
    found = read({"term": "A", "description": "B"})
    assert [(item.place, item.reason) for item in found.rejected] == [("top level", "not a list of terms")]


def test_an_excerpt_is_readable_text_cut_to_length(read: _Read) -> None:
    (rejected,) = read([{"term": "", "description": "설명 " * 500}]).rejected
    assert len(rejected.excerpt) == 200
    assert "설명" in rejected.excerpt


def test_lists_in_lists_are_read_to_any_depth(read: _Read) -> None:
    deep = [[[[{"term": "A", "description": "First."}], []]], {"term": "B", "description": "Second."}]
    found = read(deep)
    assert [record.record_id for record in found.records] == [
        "term_data/terms.json#0.0.0.0", "term_data/terms.json#1",
    ]  # fmt: skip
    assert not found.rejected


def test_a_number_is_its_text_as_it_is_written(read: _Read) -> None:
    (record,) = read('[{"term": 404, "eng_term": 4.040, "description": "A status."}]').records
    assert record.text == "404 (4.040): A status."


@pytest.mark.parametrize(("value", "kind"), [(["x"], "a list"), ({"x": 1}, "an object"), (False, "a truth value")])
def test_an_english_term_that_is_no_text_rejects_the_entry(read: _Read, value: Any, kind: str) -> None:
    (rejected,) = read([{"term": "A", "eng_term": value, "description": "First."}]).rejected
    assert rejected.reason == f"the English term is {kind}, not text"
