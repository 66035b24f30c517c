"""SemScore with the embedded encoder: what it tells apart, and what it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.errors import UserError
from tradewind.metrics import chrf, semscore

ENCODER = "embedded:all-MiniLM-L6-v2"
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


def test_the_score_is_the_cosine_by_the_plain_formula() -> None:
    from sentence_transformers import SentenceTransformer

    from tradewind.models import locate

    answers = ["It names one consignee.", "The adjuster shares the loss.", "Bananas are yellow."]
    embedded = semscore.embed(answers + REFERENCES, ENCODER)
    found = semscore.similarity(embedded.vectors[:3], embedded.vectors[3:])
    raw = SentenceTransformer(str(locate(ENCODER))).encode(answers + REFERENCES)
    for index in range(3):
        one, other = raw[index].astype(float), raw[3 + index].astype(float)
        plain = one @ other / (np.linalg.norm(one) * np.linalg.norm(other))
        assert found[index] == pytest.approx(plain, abs=1e-5)


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


def test_an_encoder_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UserError, match="no such folder"):
        semscore.embed(["x"], "./not/here")
