"""Near-duplicates: found however near the threshold they are, and different numbers keep questions apart."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from datasketch import MinHash

from tradewind.dataset import near_duplicates
from tradewind.dataset.near_duplicates import NearDuplicates, min_hashes, similarities
from tradewind.texts import Texts, normalise, shingles

WORDS = re.findall(
    r"\w+",
    "buyer seller carrier bank port cargo insurance freight letter credit customs duty invoice bill lading agent "
    "vessel container goods delivery risk cost rule contract payment document",
)


def _found(
    *stems: str, threshold: float = 0.9, at_once: int = 50, questions: tuple[str, ...] = ()
) -> list[tuple[str, str]]:
    """Each near-duplicate with what it repeats, by their places; `questions` where they are more than their stems."""
    questions = questions or stems
    search = NearDuplicates(threshold)
    for at in range(0, len(stems), at_once):
        search.add(Texts.of(stems[at : at + at_once]), Texts.of(questions[at : at + at_once]).hashes)
    return [(str(at), str(twin)) for at, twin in enumerate(search.find(stems.__getitem__).tolist()) if twin >= 0]


@pytest.mark.parametrize(
    "again",
    [
        "Who pays the freight under CIF?",
        "who  pays the freight under cif",
        "Who pays the freight, under CIF?!",
        "Ｗｈｏ pays the freight under CIF?",
    ],
)
def test_case_spaces_punctuation_and_width_make_no_new_question(again: str) -> None:
    assert _found("Who pays the freight under CIF?", again) == [("1", "0")]


def test_composed_and_decomposed_hangul_are_the_same_question() -> None:
    assert _found("신용장이란?", "신용장이란?") == [("1", "0")]


def test_questions_that_two_templates_fill_alike_are_the_same_whatever_their_stems() -> None:
    stems = ("신용장", "신용장(L/C)", "envelope", "Envelope.")
    asked = ("'신용장(L/C)' 이란?", "'신용장(L/C)' 이란?", "What is an envelope?", "What, then, is it?")
    assert _found(*stems, questions=asked) == [("1", "0"), ("3", "2")]


def test_what_repeats_a_question_that_repeats_another_names_the_first() -> None:
    long = "Under which rule does the seller hand over the goods to the carrier at the place"
    stems = ("another stem altogether", f"{long} named?", f"{long} named!", f"{long} name?")
    asked = ("Which rule is it?", "Which rule is it?", "second", "third")
    assert _found(*stems, questions=asked) == [("1", "0"), ("2", "0"), ("3", "0")]


def test_the_earlier_question_is_kept_and_each_later_one_names_it() -> None:
    assert _found("What is a draft?", "Something else entirely", "what is a draft", "WHAT IS A DRAFT") == [
        ("2", "0"),
        ("3", "0"),
    ]


LONG = "How long may a {} container stay at the terminal in the port of Busan before the carrier charges demurrage"


def test_a_letter_or_two_make_no_new_question() -> None:
    assert _found(LONG.format("refrigerated"), LONG.format("refrigerated") + "s?") == [("1", "0")]


def test_different_numbers_make_another_question() -> None:
    assert _found(LONG.format("20-foot"), LONG.format("40-foot"), LONG.format("40-foot") + "s") == [("2", "1")]


def test_the_order_of_numbers_counts() -> None:
    text = "A buyer orders {} units at once and then another {} units; which reorder point is right for the warehouse"
    assert _found(text.format(10, 25), text.format(25, 10)) == []


def test_the_threshold_decides() -> None:
    one, other = LONG.format("refrigerated"), LONG.format("very large")
    similarity = len(shingles(one) & shingles(other)) / len(shingles(one) | shingles(other))
    assert 0.6 < similarity < 0.9
    assert _found(one, other, threshold=0.9) == []
    assert _found(one, other, threshold=0.6) == [("1", "0")]


def test_the_highest_threshold_that_a_recipe_may_set_removes_equal_questions_only() -> None:
    assert _found(LONG.format("dry"), LONG.format("dry") + "s", LONG.format("Dry"), threshold=1.0) == [("2", "0")]


def test_every_pair_at_or_above_the_threshold_is_found() -> None:
    rng = random.Random(7)
    cases: list[tuple[float, str, str]] = []
    while len(cases) < 150:
        words = rng.choices(WORDS, k=40)
        changed = list(words)
        changed[rng.randrange(40)] = rng.choice(WORDS)
        one, other = " ".join(words), " ".join(changed)
        similarity = len(shingles(one) & shingles(other)) / len(shingles(one) | shingles(other))
        if 0.9 <= similarity < 1:
            cases.append((similarity, one, other))
    missed = [round(similarity, 3) for similarity, one, other in cases if not _found(one, other)]
    assert not missed, f"{len(missed)} of {len(cases)} were missed"


def test_the_same_pairs_give_the_same_duplicates() -> None:
    rng = random.Random(3)
    stems = [" ".join(rng.choices(WORDS[:4], k=4)) for _ in range(120)]
    first = _found(*stems)
    assert len(first) > 10
    assert _found(*stems) == first


def test_texts_shorter_than_a_shingle_are_compared_whole() -> None:
    assert shingles("FOB") == {"fob"}
    assert _found("FOB", "FAS", "fob") == [("2", "0")]


@pytest.mark.parametrize(("text", "plain"), [("A_b--C d", "a b c d"), ("  Straße\n", "strasse"), ("%?", "")])
def test_normalised_text_is_letters_and_digits_in_single_spaces(text: str, plain: str) -> None:
    assert normalise(text) == plain


def test_many_sketches_at_once_are_those_of_the_library() -> None:
    texts = Texts.of([" ".join(WORDS[at : at + 9]) for at in range(20)] + ["신용장이란 무엇인가", "FOB", ""])
    grams, first = texts.shingles()
    sketches = min_hashes(texts, 60)
    for index, part in enumerate(np.split((grams >> np.uint64(32)).tolist(), first[1:])):
        sketch = MinHash(num_perm=60, seed=1, hashfunc=lambda gram: gram)
        sketch.update_batch([int(gram) for gram in part])
        assert sketches[:, index].tolist() == sketch.hashvalues.tolist()


KOREAN = [
    "매수인",
    "매도인",
    "운송인",
    "은행",
    "항구",
    "화물",
    "보험",
    "운임",
    "신용장",
    "관세",
    "송장",
    "선하증권",
    "대리인",
    "선박",
    "컨테이너",
    "물품",
    "인도",
    "위험",
    "비용",
    "규칙",
    "계약",
    "지급",
    "서류",
]


def test_korean_questions_are_found_as_surely_as_english_ones() -> None:
    rng = random.Random(11)
    cases = 0
    while cases < 150:
        words = rng.choices(KOREAN, k=60)
        changed = list(words)
        changed[rng.randrange(60)] = rng.choice(KOREAN)
        one, other = " ".join(words), " ".join(changed)
        if 0.9 <= len(shingles(one) & shingles(other)) / len(shingles(one) | shingles(other)) < 1:
            assert _found(one, other) == [("1", "0")]
            cases += 1


def test_what_repeats_a_dropped_question_alone_is_kept() -> None:
    words = [f"{word}{word[::-1]}" for word in WORDS]
    first = " ".join(words)
    second = " ".join([*words, "tail"])
    third = " ".join([*words, "tail", "longer", "end"])
    similar = similarities([first, second, first], [second, third, third])
    assert [similarity >= 0.96 for similarity in similar] == [True, True, False]
    assert _found(first, second, third, threshold=0.96) == [("1", "0")]
    assert _found(second, third, threshold=0.96) == [("1", "0")]


def test_similarities_are_exact() -> None:
    rng = random.Random(2)
    ones = [" ".join(rng.choices(WORDS, k=rng.randint(0, 20))) for _ in range(200)]
    others = [one[: rng.randint(0, len(one))] + rng.choice(["", "s", " 신용장"]) for one in ones]
    expected = [
        len(shingles(one) & shingles(other)) / len(shingles(one) | shingles(other))
        for one, other in zip(ones, others, strict=True)
    ]
    assert similarities(ones, others).tolist() == expected


def test_questions_of_one_template_are_compared_with_few_others(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(4)
    template = "Which of the rules that the parties agreed upon in the contract of sale applies to the {} in {}"
    stems = [template.format("".join(rng.choices("abcdefghij", k=8)), rng.choice(WORDS)) for _ in range(3000)]
    stems += [stem.replace("Which", "Whichh") for stem in rng.sample(stems, 100)]
    compared = Counter[int]()

    def counted(keys: Any, members: Any) -> Iterator[Any]:
        for one, other in candidates(keys, members):
            compared.update([*one.tolist(), *other.tolist()])
            yield one, other

    candidates = near_duplicates._candidates
    monkeypatch.setattr(near_duplicates, "_candidates", counted)
    assert len(_found(*stems)) >= 100
    bands, _ = near_duplicates._bands(0.9)
    assert max(compared.values()) <= bands * 2 * near_duplicates._NEIGHBOURS
