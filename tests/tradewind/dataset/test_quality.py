"""Which pairs are told to be unfit, and with what reason: the cases of `tests/cases/quality.json`."""

from __future__ import annotations

import json
import random
import timeit
from pathlib import Path
from typing import Any

import pytest

from collected import read_documents
from documents import REPOSITORY, SAMPLES
from tradewind.config import DataConfig, Language, QualityConfig
from tradewind.dataset.quality import fault_of, faults_of

CASES: list[dict[str, Any]] = json.loads((REPOSITORY / "tests" / "cases" / "quality.json").read_text(encoding="utf-8"))
DEFAULTS = QualityConfig()


@pytest.mark.parametrize("case", CASES, ids=[f"{case['question'][:20]}-{case['answer'][:20]}" for case in CASES])
def test_each_case_is_told_as_written(case: dict[str, Any]) -> None:
    fault = fault_of(case["question"], case["answer"], case.get("language", "en"), DEFAULTS, case.get("stem", ""))
    if case["told"] is None:
        assert fault is None
    else:
        assert fault is not None
        assert case["told"] in fault


def _faults(folder: Path) -> list[str | None]:
    records = read_documents(folder, DataConfig()).records
    return [
        fault_of(pair.question, pair.answer, record.language, DEFAULTS, pair.stem)
        for record in records
        for pair in record.pairs
    ]


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_no_pair_of_the_samples_is_refused(language: str) -> None:
    faults = _faults(SAMPLES[language])
    assert len(faults) > 100
    assert set(faults) == {None}


def test_no_pair_of_another_project_s_glossary_is_refused(others_glossary: Path) -> None:
    assert set(_faults(others_glossary)) == {None}


@pytest.mark.parametrize("part", ["question", "answer"])
def test_a_text_at_its_limits_passes_and_one_character_beyond_is_told(part: str) -> None:
    config = QualityConfig(min_question=10, max_question=20, min_answer=10, max_answer=20)

    def fault(length: int) -> str | None:
        texts = {"question": "What is it 1", "answer": "It is that 2"} | {part: "abcdefghij" * 3}
        texts[part] = texts[part][:length]
        return fault_of(texts["question"], texts["answer"], "en", config)

    assert fault(10) is None
    assert fault(20) is None
    assert fault(9) == f"{part} of 9 characters, fewer than data.quality.min_{part} (10)"
    assert fault(21) == f"{part} of 21 characters, more than data.quality.max_{part} (20)"


def test_the_language_check_can_be_turned_off() -> None:
    question, answer = "What is a letter of credit?", "信用证是银行的付款承诺"
    assert fault_of(question, answer, "en", DEFAULTS)
    assert fault_of(question, answer, "en", QualityConfig(check_language=False)) is None


def test_a_huge_text_is_refused_by_its_length_before_it_is_read() -> None:
    huge = "What is it? " * 10_000_000
    seconds = min(timeit.repeat(lambda: fault_of(huge, "That.", "en", DEFAULTS), number=1, repeat=3))
    assert seconds < 0.01


@pytest.mark.parametrize("answer", ["answer" + " " * 3000 + "x", "1" * 4000, "Ã" * 4000, "½" * 4000, "í”" * 2000])
def test_no_text_makes_a_pattern_run_away(answer: str) -> None:
    seconds = min(timeit.repeat(lambda: fault_of(answer[::-1], answer, "en", DEFAULTS), number=1, repeat=3))
    assert seconds < 0.05


PIECES = (
    *("", " ", " ", "\u3000", "\n", "\x00", "\x85", "\ufffd", "\ud83d", "\xad", "_", "(", "[1]", "<b>", "①", "½", "１"),
    *("1", "2", "3.", "A", "b)", "E", "정답", "답은", "번", "answer", "Option", "보기", "가)", "ㄱ", "다", "이다"),
    *("é", "Ã©", "â€™", "í”¼í", "½Å¿ëÀå", "naïve", "×", "°", "·", "ß", "ſ"),
    *("信用證", "аккредитив", "ひ", "Ω", "신용장", "운임은 매도인이", "freight", "is paid by the seller", "FOB"),
    *("What is a bill of lading?", "신용장이란 무엇인가요?", "How many days?"),
    *("the carrier's liability " * 4, "수출 물품의 " * 14),
)


@pytest.mark.parametrize(
    "config",
    [DEFAULTS, QualityConfig(check_language=False), QualityConfig(min_question=9, max_question=30, max_answer=12)],
)
def test_many_pairs_are_judged_as_each_is_alone(config: QualityConfig) -> None:
    rng = random.Random(9)

    def text() -> str:
        return "".join(rng.choices(PIECES, k=rng.choice((1, 1, 2, 3, 6))))

    pairs = [(case["question"], case["answer"], case.get("language", "en"), case.get("stem", "")) for case in CASES]
    for _ in range(6000):
        question, answer, stem = text(), text(), text()
        again = rng.choice((answer, answer, question.upper(), f"{stem}."))
        language: Language = rng.choice(("en", "ko"))
        pairs.append((question, again, language, stem))
    alone = [fault_of(*pair[:3], config, pair[3]) for pair in pairs]
    assert len({fault.split(" (")[0] for fault in alone if fault}) > 12
    for at_once in (1, 7, len(pairs)):
        together: list[str | None] = []
        for at in range(0, len(pairs), at_once):
            questions, answers, languages, stems = zip(*pairs[at : at + at_once], strict=True)
            faults = faults_of(questions, answers, languages, stems, config)
            together += [faults.get(place) for place in range(len(questions))]
        assert together == alone


def test_of_no_pairs_none_is_refused() -> None:
    assert faults_of([], [], [], [], DEFAULTS) == {}
