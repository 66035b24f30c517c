"""Many texts in arrays: what each would be by itself, whatever characters and neighbours it has."""

from __future__ import annotations

import random
import re

import pytest

from tradewind.texts import SENTENCE_END, Texts, normalise

# Folded alone, composed with neighbours, turned into several, into none, and beyond the basic plane.
PIECES = (
    *"abcXYZ0129 .!?_-,'()",
    *("é", "é", "ß", "İ", "ﬁ", "①", "½", "Å", "ά", "ϊ", "Ж", "ё", "ﾊﾟ", "が", "が", "漢", "ー", "ʼn", "ſ", "ǰ"),
    *("한", "글", "한", "각", "ᄀ", "ㄱ", "신용장", "\u3000", "\u00a0", "\u200b", "\u2028", "…", "“", "—", "·"),
    *("😀", "𝔸", "𐐀", "🇰🇷", "\ud83d", "שלום", "مرحبا", "٣", "ไทย", "नमस्ते", "２０", "Ａ", "！", "．", "\n", "\x00"),
)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    rng = random.Random(5)
    made = ["".join(rng.choices(PIECES, k=rng.randrange(40))) for _ in range(3000)]
    plain = ["".join(rng.choices(PIECES[:21], k=rng.randrange(40))) for _ in range(3000)]
    return [*made, *plain, "", " ", "...", "a"]


def _of(texts: Texts, start: int, end: int) -> str:
    return "".join(map(chr, texts.chars[start:end].tolist()))


def test_text_in_ascii_is_normalised_as_any_other() -> None:
    text = "".join(map(chr, range(128))) + " A  B_c-D\t1"
    wide = text + "\N{IDEOGRAPHIC SPACE}"  # which becomes a space, and is not ASCII
    assert normalise(text) == normalise(wide)
    assert normalise(text).endswith("a b c d 1")


def test_each_text_is_normalised_as_it_is_alone(texts: list[str]) -> None:
    many = Texts.of(texts)
    found = [_of(many, start, end) for start, end in zip(many.start.tolist(), many.end.tolist(), strict=True)]
    assert found == [normalise(text) for text in texts]


def test_sentences_are_those_of_each_text(texts: list[str]) -> None:
    many = Texts.of(texts)
    sentences, _ = many.sentences()
    found: list[list[str]] = [[] for _ in texts]
    for owner, start, end in zip(*(part.tolist() for part in vars(sentences).values()), strict=True):
        if end > start:
            found[owner].append(_of(many, start, end))
    assert found == [
        [part for part in map(normalise, SENTENCE_END.split(text.replace("\n", " "))) if part] for text in texts
    ]


def test_hashes_are_equal_for_equal_texts_only(texts: list[str]) -> None:
    plain = [normalise(text) for text in texts]
    together = Texts.of(texts).hashes.tolist()
    alone = [Texts.of([text]).hashes.tolist()[0] for text in texts]
    assert together == alone
    assert len(set(zip(plain, together, strict=True))) == len(set(plain)) == len(set(together))


def test_a_sentence_has_the_hash_that_it_has_as_a_text() -> None:
    _, sentences = Texts.of(["신용장은 서류이다. It is paid at sight! 끝"]).sentences()
    assert sentences.tolist() == Texts.of(["신용장은 서류이다", "it is paid at sight", "끝"]).hashes.tolist()


def test_texts_taken_as_they_are_differ_in_every_letter() -> None:
    hashes = Texts.as_they_are(["c", "C", "c++", "c+", "", "신용장", "c"]).hashes.tolist()
    assert hashes[0] == hashes[6]
    assert len(set(hashes)) == 6


def test_shingles_are_the_five_grams_of_each_text(texts: list[str]) -> None:
    grams, first = Texts.of(texts).shingles()
    hash_of: dict[str, int] = {}
    for text, start, end in zip(texts, first.tolist(), [*first.tolist()[1:], len(grams)], strict=True):
        plain = normalise(text)
        expected = [plain[at : at + 5] for at in range(max(1, len(plain) - 4))]
        for gram, hashed in zip(expected, grams[start:end].tolist(), strict=True):
            assert hash_of.setdefault(gram, hashed) == hashed
    assert len(set(hash_of.values())) == len(hash_of) > 10_000


def test_numbers_tell_texts_apart_by_their_numbers_in_order(texts: list[str]) -> None:
    numbers = [tuple(re.findall(r"\d+", normalise(text))) for text in texts]
    found = Texts.of(texts).numbers().tolist()
    assert len(set(zip(numbers, found, strict=True))) == len(set(numbers)) == len(set(found))
    apart = Texts.of(["1 of 2", "2 of 1", "12", "1, 2", "21", "none", "1 2 of"]).numbers().tolist()
    assert len(set(apart)) == 5
    assert apart[0] == apart[3] == apart[6]
