"""Answers with one exact form: glossary terms and exam options, in English and Korean."""

from __future__ import annotations

import math

import pytest

from tradewind.metrics.exact_form import exact_forms, normalised
from tradewind.metrics.exact_match import exact_match

INCOTERMS = {"1": "FOB", "2": "CIF", "3": "30 days", "4": "the seller's own risk"}
LETTERED = {"A": "FOB", "B": "CIF", "C": "a bill of lading"}
KOREAN = {"1": "선하증권", "2": "신용 장", "3": "환어음", "4": "보험증권"}


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("2. CIF", True), ("2", True), ("(2)", True), ("2.", True), ("2)", True), ("② CIF", True), ("②", True),
        ("(2) cif", True), ("CIF.", True), ("  cif ", True), ("2번", True), ("２. ＣＩＦ", True),
        ("1. CIF", False), ("2. FOB", False), ("1", False), ("5", False), ("", False), ("CIF or FOB", False),
        ("22", False), ("2 days", False), ("2.5", False),
    ],
)  # fmt: skip
def test_an_exam_option_counts_by_its_number_or_its_text(answer: str, right: bool) -> None:
    assert exact_match([answer], ["2. CIF"], [INCOTERMS]) == [float(right)]


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("C", True), ("c)", True), ("(C) a bill of lading", True), ("Bill of lading", True), ("B", False),
        ("A bill of lading", True), ("A", False), ("A. bill of lading", False), ("CIF", False), ("Carriage", False),
    ],
)  # fmt: skip
def test_an_option_with_a_letter_counts_in_the_same_way(answer: str, right: bool) -> None:
    assert exact_match([answer], ["C. a bill of lading"], [LETTERED]) == [float(right)]


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("2. 신용장", True),
        ("2번", True),
        ("신용장", True),
        ("②신용장", True),
        ("신용장입니다", False),
        ("환어음", False),
    ],
)
def test_a_korean_option_counts_with_or_without_spaces(answer: str, right: bool) -> None:
    assert exact_match([answer], ["2. 신용 장"], [KOREAN]) == [float(right)]


@pytest.mark.parametrize(
    ("answer", "term", "right"),
    [
        ("bill of lading", "Bill of lading", True), ("The bill-of-lading.", "Bill of lading", True),
        ("'Bill of lading'", "Bill of lading", True), ("A bill of lading is a document", "Bill of lading", False),
        ("Lading", "Bill of lading", False), ("", "Bill of lading", False), ("선하 증권", "선하증권", True),
        ("선하증권.", "선하증권", True), ("항공화물운송장", "선하증권", False), ("1", "Letter 1", False),
    ],
)  # fmt: skip
def test_a_term_counts_whatever_its_case_article_and_punctuation(answer: str, term: str, right: bool) -> None:
    assert exact_match([answer], [term], [{"": term}]) == [float(right)]


def test_free_text_has_no_exact_match() -> None:
    assert math.isnan(exact_match(["It is a tax."], ["It is a duty."], [None])[0])


@pytest.mark.parametrize(("one", "other"), [("2.5 %", "25 %"), ("-5", "5"), ("1,000", "1 000 0"), ("5 %", "5")])
def test_numbers_are_not_made_alike(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@pytest.mark.parametrize(
    ("source", "context", "question", "answer", "forms"),
    [
        ("term", "Demurrage: A charge.", "Description: 'A charge.' Which term?", "Demurrage", {"": "Demurrage"}),
        ("term", "신용장 (Letter of credit): 약속.", "설명: '약속.'", "신용장", {"": "신용장"}),
        ("term", "Demurrage: A charge.", "What does 'Demurrage' mean?", "A charge.", None),
        ("exam", "", "Which? 1. Air 2. Sea", "2. Sea", {"1": "Air", "2": "Sea"}),
        ("exam", "", "Which? a) Air b) Sea", "b. Sea", {"a": "Air", "b": "Sea"}),
        ("exam", "", "해상운송은? 1. 배 2. 비행기 3. 기차", "1. 배", {"1": "배", "2": "비행기", "3": "기차"}),
        ("exam", "", "What is the duty?", "A tax", None),
        ("qa", "Air: fast", "What is fast?", "Air", None),
        ("transcript", "Air: fast", "What is fast?", "Air", None),
    ],
)  # fmt: skip
def test_terms_and_options_are_known_by_their_documents(
    source: str, context: str, question: str, answer: str, forms: dict[str, str] | None
) -> None:
    item = {"source": source, "context": context, "question": question, "answer": answer}
    assert exact_forms(item) == forms
