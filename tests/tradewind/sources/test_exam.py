"""Exam files: questions with their options, and the answers that options are named by."""

from __future__ import annotations

import pytest

from collected import Documents
from documents import Reader, WriteDocuments
from tradewind.config import DataConfig
from tradewind.sources import exam

OPTIONS = "Who bears the risk? 1. The buyer 2. The seller 3. The carrier 4. The bank"


@pytest.fixture
def read(write_documents: WriteDocuments) -> _Read:
    return _Read(write_documents)


class _Read(Reader):
    """Read one exam file with this text."""

    def __call__(self, text: object) -> Documents:
        return Documents.collect(exam.read(self._write({"exam_data/paper.json": {"fixed_text": text}}), DataConfig()))


def test_a_question_keeps_its_options_and_the_answer_its_number_and_text(read: _Read) -> None:
    (record,) = read(f"Question: {OPTIONS} Answer: 2").records
    (pair,) = record.pairs
    assert pair.question == OPTIONS
    assert pair.answer == "2. The seller"
    assert record.text == f"{OPTIONS} 2. The seller"
    assert record.file == "exam_data/paper.json"


@pytest.mark.parametrize(
    "answer", ["2", "2.", "2번", "2)", "2. The seller", "2. the seller.", "The seller", "the seller."]
)
def test_an_answer_is_the_option_that_it_names_by_number_or_text(read: _Read, answer: str) -> None:
    (record,) = read(f"Question: {OPTIONS} Answer: {answer}").records
    assert record.pairs[0].answer == "2. The seller"


def test_korean_papers_are_read_with_their_own_markers(read: _Read) -> None:
    text = "질문: 수출을 뜻하는 말은? 1. export 2. import 정답: 1 질문: 무역의 반대말은 있는가? 정답: 없다"
    first, second = read(text).records
    assert (first.pairs[0].question, first.pairs[0].answer) == ("수출을 뜻하는 말은? 1. export 2. import", "1. export")
    assert (second.pairs[0].question, second.pairs[0].answer) == ("무역의 반대말은 있는가?", "없다")
    assert second.language == "ko"


def test_an_option_number_glued_to_the_sentence_before_is_set_apart(read: _Read) -> None:
    text = "질문: 다음 중 옳은 것은? 1. 매도인이 위험을 진다.2. 매수인이 위험을 진다.3. 은행이 진다. 정답: 2"
    (record,) = read(text).records
    assert "위험을 진다. 2. 매수인이" in record.pairs[0].question
    assert record.pairs[0].answer == "2. 매수인이 위험을 진다."


def test_an_option_glued_on_both_sides_is_an_option_too(read: _Read) -> None:
    (record,) = read("질문: 맞는 것은? 1. 수출.2.수입.3.운송.4.보험 정답: 3").records
    assert record.pairs[0].answer == "3. 운송."


def test_an_option_glued_to_the_question_mark_is_set_apart_too(read: _Read) -> None:
    (record,) = read("질문: 맞는 것은?1. 수출이다.2. 수입이다. 정답: 2").records
    assert record.pairs[0].question == "맞는 것은? 1. 수출이다. 2. 수입이다."
    assert record.pairs[0].answer == "2. 수입이다."


@pytest.mark.parametrize("text", ["It costs 5.2. Nobody pays.", "Version 1.2. is out", "See 3.1.4. there"])
def test_decimals_and_section_numbers_are_left_as_they_are(text: str) -> None:
    assert exam.set_options_apart(text) == text


def test_numbers_inside_a_question_are_not_its_options(read: _Read) -> None:
    (record,) = read("Question: Under UCP 600 article 14. b, how many days? 1. Five 2. Ten Answer: 1").records
    assert record.pairs[0].answer == "1. Five"


def test_an_open_question_keeps_its_answer_as_it_stands(read: _Read) -> None:
    (record,) = read("Question: What is freight?\n  Answer: The price\nof carriage.").records
    assert (record.pairs[0].question, record.pairs[0].answer) == ("What is freight?", "The price of carriage.")


MARKED = {
    "{}.": "Who pays? {}. The buyer {}. The seller {}. The bank",
    "{})": "Who pays? {}) The buyer {}) The seller {}) The bank",
    "({})": "Who pays? ({}) The buyer ({}) The seller ({}) The bank",
}


@pytest.mark.parametrize("labels", ["ABC", "abc", "123"])
@pytest.mark.parametrize("mark", MARKED)
@pytest.mark.parametrize("answer", ["{}", "{}.", "({})", "{})", "{}. The seller", "({}) the seller.", "The seller"])
def test_options_are_read_however_they_are_marked(read: _Read, mark: str, labels: str, answer: str) -> None:
    question = MARKED[mark].format(*labels)
    (record,) = read(f"Question: {question} Answer: {answer.format(labels[1])}").records
    assert (record.pairs[0].question, record.pairs[0].answer) == (question, f"{labels[1]}. The seller")


def test_an_answer_s_letter_may_be_of_the_other_case(read: _Read) -> None:
    (record,) = read("Question: Which? a) FOB b) CIF Answer: B").records
    assert record.pairs[0].answer == "b. CIF"


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ("A. 매도인 B. 매수인 C. 은행", "B"),
        ("(1) 매도인 (2) 매수인 (3) 은행", "(2)"),
        ("1) 매도인 2) 매수인 3) 은행", "2번"),
        ("a) 매도인 b) 매수인 c) 은행", "매수인"),
    ],
)
def test_korean_options_are_read_however_they_are_marked(read: _Read, options: str, answer: str) -> None:
    (record,) = read(f"질문: 운임을 지급하는 자를 고르시오 {options} 정답: {answer}").records
    assert record.pairs[0].answer.endswith(". 매수인")
    assert record.language == "ko"


def test_statements_with_numbers_are_told_from_the_options_by_the_answer(read: _Read) -> None:
    text = "Consider 1. risk passes 2. title passes. Which hold? A. Only 1 B. Only 2 C. Both"
    (record,) = read(f"Question: {text} Answer: C").records
    assert record.pairs[0].answer == "C. Both"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What does p. 2 say of vitamin A) in food?", "That it is dutiable."),
        ("How do rules (a) and (b) of article 14 differ?", "By the days they allow."),
        ("Who wrote with A. B. Smith on tariffs?", "Nobody."),
        ("제14조 (a)항과 (b)항은 어떻게 다른가?", "기간이 다르다."),
        ("계약서 p. 2) 와 부록 1) 은 무엇을 정하는가?", "인도 조건"),
        ("When was coinage begun, 700 B.C. or 600 B.C.?", "Around 650."),
        ("Under (1) a sale or (2) a lease, who insures the goods?", "The owner."),
    ],
)
def test_letters_and_numbers_in_running_text_are_no_options(read: _Read, question: str, answer: str) -> None:
    (record,) = read(f"Question: {question} Answer: {answer}").records
    assert (record.pairs[0].question, record.pairs[0].answer) == (question, answer)


@pytest.mark.parametrize("answer", ["A", "b)", "(3)", "2번", "4"])
@pytest.mark.parametrize("question", ["Who pays? A: The buyer B: The seller", "누가 지급하는가? 가. 매도인 나. 매수인"])
def test_a_lone_letter_or_number_without_options_is_rejected_with_how_to_write_them(
    read: _Read, question: str, answer: str
) -> None:
    (rejected,) = read(f"Question: {question} Answer: {answer}").rejected
    assert rejected.reason.startswith(f"the answer '{answer}' names an option, and the question has none; write them ")
    assert "'A. text', 'A) text' or '(A) text'" in rejected.reason


def test_every_paper_of_a_list_is_read(write_documents: WriteDocuments) -> None:
    papers = [{"fixed_text": "Question: One? Answer: Yes"}, 7, {"fixed_text": "Question: Two? Question: Three?"}]
    folder = write_documents({"exam_data/papers.json": papers})
    found = Documents.collect(exam.read(folder, DataConfig()))
    assert [record.record_id for record in found.records] == ["exam_data/papers.json#0.1"]
    assert [item.place for item in found.rejected] == ["entry 1", "entry 2, question 1", "entry 2, question 2"]


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (f"Question: {OPTIONS}", "no answer"),
        (f"Question: {OPTIONS} Answer: ", "no answer"),
        ("Question: Answer: 2", "no question text"),
        ("Question: 1. x 2. y Answer: 2", "no question text"),
        (f"Question: {OPTIONS} Answer: 5", "the answer '5' is none of the 4 options"),
        ("Question: Who? A. You B. Me Answer: D", "the answer 'D' is none of the 2 options"),
        ("Question: Who? (a) You (b) Me Answer: They", "the answer 'They' is none of the 2 options"),
        (f"Question: {OPTIONS} Answer: 2. The bank", "the answer '2. The bank' is none of the 4 options"),
        ("Question: What? Answer: this Answer: that", "two answers"),
    ],
)
def test_a_block_that_is_no_question_with_one_answer_is_rejected_at_its_place(
    read: _Read, block: str, reason: str
) -> None:
    found = read(f"Question: A good one? Answer: yes {block}")
    assert len(found.records) == 1
    (rejected,) = found.rejected
    assert (rejected.file, rejected.place, rejected.reason) == ("exam_data/paper.json", "question 2", reason)
    assert rejected.excerpt.strip() == block.removeprefix("Question:").strip()


def test_text_before_the_first_question_is_rejected_and_the_questions_are_kept(read: _Read) -> None:
    found = read("Trade exam 2024. Question: What? Answer: this")
    assert len(found.records) == 1
    assert [(item.place, item.excerpt) for item in found.rejected] == [("before question 1", "Trade exam 2024. ")]


@pytest.mark.parametrize("text", [None, 7, ["Question: What? Answer: this"]])
def test_a_file_without_one_text_of_questions_is_rejected(read: _Read, text: object) -> None:
    found = read(text)
    assert not found.records
    assert [(item.place, item.reason) for item in found.rejected] == [
        ("top level", 'no "fixed_text" with the questions as one text')
    ]


def test_a_file_with_an_empty_text_is_not_passed_over_in_silence(read: _Read) -> None:
    assert [item.file for item in read("  ").rejected] == ["exam_data/paper.json"]
