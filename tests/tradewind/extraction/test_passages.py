"""Running text cut at sentence ends: nothing lost, nothing too long, overlaps only of whole sentences."""

from __future__ import annotations

import random

import pytest

from collected import read_documents
from documents import SAMPLES
from tradewind.config import DataConfig, ExtractConfig
from tradewind.extraction.passages import Chunk, chunks
from tradewind.sentences import sentences
from tradewind.sources.record import Passage


def _words(text: str) -> int:
    return len(text.split())


def _cut(*texts: str, tokens: int = 32, overlap: int = 0) -> list[Chunk]:
    config = ExtractConfig(model="m", passage_tokens=tokens, overlap_tokens=overlap)
    return list(chunks([Passage("a.txt", text) for text in texts], config, _words))


def _sentence(rng: random.Random) -> str:
    return " ".join(f"w{rng.randrange(10_000)}" for _ in range(rng.randint(1, 45))).capitalize() + rng.choice(".!?")


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("overlap", [0, 10, 31])
def test_no_word_is_lost_and_no_passage_is_too_long(seed: int, overlap: int) -> None:
    rng = random.Random(seed)
    texts = [" ".join(_sentence(rng) for _ in range(rng.randint(1, 12))) for _ in range(rng.randint(1, 5))]
    cut = _cut(*texts, overlap=overlap)
    assert all(_words(chunk.text) <= 32 for chunk in cut)
    assert [chunk.number for chunk in cut] == list(range(1, len(cut) + 1))
    told = [word for text in texts for word in text.split()]
    joined: list[str] = []
    for chunk in cut:
        words = chunk.text.split()
        shared = next(n for n in range(len(words), -1, -1) if joined[len(joined) - n :] == words[:n])
        assert shared <= overlap
        joined += words[shared:]
    assert joined == told


def test_a_passage_begins_with_the_last_sentences_of_the_one_before() -> None:
    text = " ".join(f"Sentence number {n} has seven words here." for n in range(10))
    first, second = _cut(text, tokens=40, overlap=16)[:2]
    assert sentences(second.text)[:2] == sentences(first.text)[-2:]


def test_paragraphs_of_one_file_share_a_passage_and_files_do_not() -> None:
    config = ExtractConfig(model="m")
    found = chunks([Passage("a.txt", "One."), Passage("a.txt", "Two."), Passage("b.txt", "Three.")], config, _words)
    assert [(chunk.name, chunk.text) for chunk in found] == [("a.txt#1", "One. Two."), ("b.txt#1", "Three.")]


def test_text_without_full_stops_or_even_spaces_is_cut_too() -> None:
    def signs(text: str) -> int:
        return len(text)

    config = ExtractConfig(model="m", passage_tokens=32, overlap_tokens=0)
    for text in ("word " * 50, "x" * 200, "가" * 100):
        cut = list(chunks([Passage("a.txt", text.strip())], config, signs))
        assert len(cut) > 1
        assert all(len(chunk.text) <= 32 for chunk in cut)
        assert "".join("".join(chunk.text.split()) for chunk in cut) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("A rate of 1.5 % holds. It is low.", 2),
        ('He said "go." Then he went.', 2),
        ("첫째다. 둘째다.", 2),
        ("一。二！三", 3),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, count: int) -> None:
    assert len(sentences(text)) == count


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_the_samples_lectures_are_cut_in_their_language(language: str) -> None:
    passages = read_documents(SAMPLES[language], DataConfig()).passages
    cut = list(chunks(passages, ExtractConfig(model="m", passage_tokens=64, overlap_tokens=16), _words))
    assert {chunk.language for chunk in cut} == {language}
    assert {chunk.file for chunk in cut} == {passage.file for passage in passages}
