"""The loss of answers alone, whatever stands beside them in a batch."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tradewind.config import ModelConfig
from tradewind.models import locate
from tradewind.training.answer_loss import answer_loss
from tradewind.training.load import load_model, load_tokenizer
from tradewind.training.tokens import IGNORED, pair_tokens

PAIRS = [
    ("What does FOB mean?", "Free on board."),
    ("Which document gives a right to the goods at sea, and who signs it?", "The bill of lading; the carrier does."),
    ("CIF?", "Cost, insurance and freight: the seller pays all three as far as the port of destination."),
]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return load_tokenizer(locate("embedded:tiny-gemma2"))


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return load_model(locate("embedded:tiny-gemma2"), ModelConfig()).train()


def test_it_is_the_mean_over_the_answers_tokens_in_any_batch(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    rows = [pair_tokens(tokenizer, *pair) for pair in PAIRS]
    total, count = 0.0, 0
    for row in rows:
        with torch.no_grad():
            told = torch.log_softmax(model(input_ids=torch.tensor([row["input_ids"]])).logits[0].double(), dim=-1)
        learnt = [(place, label) for place, label in enumerate(row["labels"]) if label != IGNORED]
        total -= sum(float(told[place - 1, label]) for place, label in learnt)
        count += len(learnt)
    for size in (1, 2, 3):
        assert answer_loss(model, rows, size) == pytest.approx(total / count, abs=1e-5)
    assert model.training


def test_the_prompt_has_no_say(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    row = pair_tokens(tokenizer, *PAIRS[0])
    whole = answer_loss(model, [row | {"labels": row["input_ids"]}], 1)
    assert not math.isclose(answer_loss(model, [row], 1), whole, rel_tol=0.01)
