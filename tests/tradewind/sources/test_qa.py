"""Ready pairs: each row is a record of its own, with its context or without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from collected import Documents
from documents import Reader, WriteDocuments
from splitting import Sample
from tradewind.config import DataConfig, SplitConfig
from tradewind.sources import qa
from tradewind.sources.record import Pair, Record


@pytest.fixture
def read(write_documents: WriteDocuments) -> _Read:
    return _Read(write_documents)


class _Read(Reader):
    """Read one table of pairs."""

    def __call__(self, *rows: Any) -> Documents:
        return Documents.collect(qa.read(self._write({"qa_data/pairs.json": list(rows)}), DataConfig()))


def test_a_pair_with_a_context_has_its_text_and_one_without_its_own_words(read: _Read) -> None:
    told, alone = read(
        {"question": "What is freight?", "answer": "A price.", "context": "Freight is\na price."},
        {"question": "운임이란?", "answer": "가격이다.", "context": "  "},
    ).records
    assert (told.text, told.source, told.language, told.has_own_text) == ("Freight is a price.", "qa", "en", True)
    assert (alone.text, alone.language, alone.has_own_text) == ("운임이란? 가격이다.", "ko", False)
    assert [(pair.question, pair.answer, pair.stem) for pair in told.pairs] == [
        ("What is freight?", "A price.", "What is freight?")
    ]
    assert told.pairs[0].pair_id != alone.pairs[0].pair_id


def test_rows_of_one_context_are_split_together(read: _Read, tmp_path: Path) -> None:
    found = read(
        *(
            {"question": f"Question {one}-{other}?", "answer": f"{one} {other}", "context": f"The context of {one}."}
            for one in range(30)
            for other in range(3)
        )
    )
    assert len(found.records) == 90
    (tmp_path / "work").mkdir()
    split = Sample.of(found.records, tmp_path / "work").split(
        SplitConfig(reworded=0, read=0.2, unseen=0.2, min_items=2), seed=1
    )
    uses: dict[str, tuple[tuple[Record, Pair], ...]] = {"train": split.train} | dict(split.heldout)
    for context in {record.text for record in found.records}:
        assert len([use for use, items in uses.items() if any(record.text == context for record, _ in items)]) == 1
    assert all(uses[use] for use in ("train", "read", "unseen"))


def test_a_pair_without_a_context_is_never_read_since_its_text_is_its_answer(read: _Read, tmp_path: Path) -> None:
    alone = [{"question": f"What is thing number {one}?", "answer": f"It is {one}."} for one in range(40)]
    told = [{"question": f"Who holds {one}?", "answer": "A bank.", "context": f"Text of {one}."} for one in range(40)]
    (tmp_path / "work").mkdir()
    sample = Sample.of(read(*alone, *told).records, tmp_path / "work")
    split = sample.split(SplitConfig(reworded=0, read=0.3, unseen=0.1, min_items=2), seed=1)
    assert len(split.heldout["read"]) == 12
    assert all(record.has_own_text for record, _ in split.heldout["read"])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"question": "Q?"}, "no answer"),
        ({"question": "Q?", "answer": "  "}, "no answer"),
        ({"question": "", "answer": "A"}, "no question"),
        ({"question": ["Q?"], "answer": "A"}, "no question"),
        ({"question": "Q?", "answer": {"text": "A"}}, "no answer"),
        ({"question": "Q?", "answer": True}, "no answer"),
        ({"question": "Q?", "answer": []}, "no answer"),
        ({"question": "Q?", "answer": ["A", {"b": 1}]}, "member 2 of the answer is an object, not text"),
        ({"question": "Q?", "answer": ["A", None]}, "member 2 of the answer is null, not text"),
        ({"question": "Q?", "answer": [["A"]]}, "member 1 of the answer is a list, not text"),
        ({"question": "Q?", "answer": [False]}, "member 1 of the answer is a truth value, not text"),
        ({"question": "Q?", "answer": "A", "context": ["Text."]}, "the context is a list, not text"),
        ("Q? A", "not an object with a question and an answer"),
        (None, "not an object with a question and an answer"),
    ],
)
def test_a_row_without_question_and_answer_is_rejected_with_its_reason(read: _Read, row: Any, reason: str) -> None:
    found = read({"question": "Kept?", "answer": "Yes."}, row)
    assert len(found.records) == 1
    assert [(item.place, item.reason) for item in found.rejected] == [("entry 1", reason)]


@pytest.mark.parametrize(
    ("value", "text"), [(11, "11"), (2.50, "2.5"), (-3e-7, "-3e-07"), (0, "0"), (["a", 1], "a, 1")]
)
def test_a_number_is_the_text_that_it_is_written_with(read: _Read, value: Any, text: str) -> None:
    (record,) = read({"question": "Q?", "answer": value}).records
    assert record.pairs[0].answer == text


def test_letters_from_right_to_left_and_emoji_stay_as_they_are(read: _Read) -> None:
    question, answer = "מה זה \u200fFOB\u200f? 🧑\u200d🚀", "تسليم على ظهر السفينة 🇰🇷"
    (record,) = read({"question": question, "answer": answer}).records
    assert (record.pairs[0].question, record.pairs[0].answer) == (question, answer)


def test_half_of_an_emoji_is_rejected(write_documents: WriteDocuments) -> None:
    folder = write_documents({"qa_data/a.jsonl": '{"question": "Q \\ud83d?", "answer": "A"}'})
    (rejected,) = Documents.collect(qa.read(folder, DataConfig())).rejected
    assert rejected.reason == "half of a character"
