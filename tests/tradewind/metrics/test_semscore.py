"""SemScore with the embedded encoder: what it tells apart, and what it cannot."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tradewind.errors import UserError
from tradewind.metrics import chrf, semscore
from tradewind.models import locate, revision_of

ENCODER = "embedded:all-MiniLM-L6-v2"
OTHER = os.environ.get("TRADEWIND_TEST_ENCODER", "")
WHY = "TRADEWIND_TEST_ENCODER names no encoder, such as sentence-transformers/all-mpnet-base-v2"
REFERENCES = [
    "A straight bill of lading names one fixed consignee and is not negotiable.",
    "The average adjuster works out the share of each party in general average.",
    "A bank has at most five banking days to check the documents under UCP 600.",
]
FACTS = ["a", "b", "c"]
KOREAN = [
    "선하증권은 운송인이 화물을 받았음을 증명하고 목적지에서 화물을 인도할 것을 약속하는 증권이다.",
    "신용장은 은행이 수입업자를 대신하여 수출업자에게 대금 지급을 약속하는 문서이다.",
    "관세는 국경을 넘어 수입되는 물품에 대하여 국가가 부과하는 세금이다.",
]


@pytest.mark.parametrize("encoder", [ENCODER, pytest.param(OTHER, marks=pytest.mark.skipif(not OTHER, reason=WHY))])
def test_the_score_is_the_papers_formula_from_the_bare_model(encoder: str) -> None:
    """Mean of the last layer over the tokens, cosine: section 3 of the paper, without sentence-transformers."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    answers = ["It names one consignee.", "The adjuster shares the loss.", ""]
    embedded = semscore.embed(answers + REFERENCES, encoder)
    found = semscore.similarity(embedded.vectors[:3], embedded.vectors[3:])
    source = str(locate(encoder))
    tokenizer, model = AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source).eval()
    plain = []
    for text in answers + REFERENCES:
        with torch.no_grad():
            plain.append(
                model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0).double().numpy()
            )
    for one, other, score in zip(plain[:3], plain[3:], found, strict=True):
        assert score == pytest.approx(one @ other / np.linalg.norm(one) / np.linalg.norm(other), abs=1e-5)


def test_the_scores_are_those_that_the_encoders_makers_publish() -> None:
    # https://sbert.net/docs/quickstart.html, all-MiniLM-L6-v2
    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    vectors = semscore.embed(texts, ENCODER).vectors
    found = semscore.similarity(vectors[[0, 0, 1]], vectors[[1, 2, 2]])
    assert found == pytest.approx([0.6660, 0.1046, 0.1411], abs=1e-4)


def test_numbers_are_hardly_seen() -> None:
    vectors = semscore.embed(["The duty is eight percent.", "The duty is twelve percent."], ENCODER).vectors
    assert semscore.similarity(vectors[:1], vectors[1:])[0] > 0.8


def test_the_floor_is_low_in_english_and_high_in_korean() -> None:
    english = semscore.embed(REFERENCES, ENCODER).vectors
    korean = semscore.embed(KOREAN, ENCODER).vectors
    assert semscore.floor(english, english, FACTS).mean() < 0.5
    assert semscore.floor(korean, korean, FACTS).mean() > 0.6
    assert chrf.floor(KOREAN, KOREAN, FACTS).mean() < 0.3


def test_the_floor_leaves_out_answers_about_the_same_fact() -> None:
    vectors = np.eye(3)
    assert semscore.floor(vectors, vectors, FACTS) == pytest.approx([0.0, 0.0, 0.0])
    assert np.isnan(semscore.floor(vectors, vectors, ["a", "a", "a"])).all()
    assert np.isnan(chrf.floor(REFERENCES, REFERENCES, ["a", "a", "a"])).all()


def test_a_text_beyond_the_encoders_length_is_counted_as_cut() -> None:
    embedded = semscore.embed(["short", "word " * 600, "word " * 600], ENCODER)
    assert embedded.max_length == 256
    assert embedded.truncated == 2


def test_equal_answers_score_one_and_chrf_agrees() -> None:
    embedded = semscore.embed(REFERENCES + REFERENCES, ENCODER)
    assert semscore.similarity(embedded.vectors[:3], embedded.vectors[3:]) == pytest.approx([1.0] * 3)
    assert chrf.chrf(REFERENCES, REFERENCES) == pytest.approx([1.0] * 3)
    assert chrf.chrf([""], ["something"]) == pytest.approx([0.0])


MIXED = [*REFERENCES, *KOREAN, "", "word " * 600, *(f"{text} {text}" for text in REFERENCES + KOREAN), "운송", "Duty."]


def test_a_vector_is_the_one_that_its_text_gets_alone() -> None:
    """To 1e-6: which texts stand in a batch decides nothing but the last digits."""
    together = semscore.embed([*MIXED * 2, *(f"{text} {at}" for at in range(9) for text in MIXED)], ENCODER).vectors
    alone = np.concatenate([semscore.embed([text], ENCODER).vectors for text in MIXED])
    assert np.abs(together[: len(MIXED)] - alone).max() < 1e-6
    assert np.array_equal(together[: len(MIXED)], together[len(MIXED) : 2 * len(MIXED)])


def test_each_text_is_encoded_once_among_texts_of_as_many_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    model = semscore._loaded(str(locate(ENCODER)), None, revision_of(ENCODER))
    batches: list[list[int]] = []
    encode = model.encode

    def recorded(texts: list[str], **settings: object) -> object:
        batches.append([len(ids) for ids in model.tokenizer(texts)["input_ids"]])
        return encode(texts, **settings)

    monkeypatch.setattr(model, "encode", recorded)
    monkeypatch.setattr(semscore, "BATCH", 4)
    semscore.embed(MIXED * 3, ENCODER)
    lengths = [min(length, 256) for batch in batches for length in batch]
    assert lengths == sorted(lengths, reverse=True)
    assert len(lengths) == len(set(MIXED))
    assert max(map(len, batches)) == 4


def test_the_encoder_is_loaded_once() -> None:
    semscore.embed(["a"], ENCODER)
    before = semscore._loaded.cache_info().misses
    semscore.embed(["b"], ENCODER)
    assert semscore._loaded.cache_info().misses == before


def test_no_texts_have_no_vectors() -> None:
    assert len(semscore.embed([], ENCODER).vectors) == 0


def test_an_encoder_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UserError, match="no such folder"):
        semscore.embed(["x"], "./not/here")
