"""Examples that share a row must not see each other: log-probabilities in a packed row equal those alone."""

from __future__ import annotations

import pytest
import torch
from transformers import PreTrainedModel
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from tradewind.config import ModelConfig
from tradewind.models import locate
from tradewind.training.load import load_model, load_tokenizer
from tradewind.training.tokens import pair_tokens

PAIRS = [
    ("What is demurrage?", "A charge for leaving a container too long in the terminal."),
    ("Who issues a bill of lading?", "The carrier issues it to the shipper."),
    ("What does CIF include?", "Cost, insurance and freight to the named port."),
]


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return load_model(locate("embedded:tiny-gemma2"), ModelConfig()).eval()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, list[int]]]:
    tokenizer = load_tokenizer(locate("embedded:tiny-gemma2"))
    return [pair_tokens(tokenizer, question, answer) for question, answer in PAIRS]


def _log_probabilities(model: PreTrainedModel, **inputs: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return torch.log_softmax(model(**inputs, use_cache=False).logits.float(), dim=-1)[0]


def _difference(model: PreTrainedModel, rows: list[dict[str, list[int]]], **packed: torch.Tensor) -> float:
    together, start, worst = _log_probabilities(model, **packed), 0, 0.0
    for row in rows:
        alone = _log_probabilities(model, input_ids=torch.tensor([row["input_ids"]]))
        part = together[start : start + len(alone)]
        worst = max(worst, float((part - alone).abs().max()))
        start += len(alone)
    return worst


def test_a_padding_free_row_gives_each_example_what_it_gets_alone(
    model: PreTrainedModel, rows: list[dict[str, list[int]]]
) -> None:
    batch = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)(rows)
    inputs = {name: batch[name] for name in ("input_ids", "position_ids")}
    assert inputs["input_ids"].shape[0] == 1
    assert _difference(model, rows, **inputs) < 1e-4


def test_the_measure_sees_contamination_where_bounds_are_lost(
    model: PreTrainedModel, rows: list[dict[str, list[int]]]
) -> None:
    ids = torch.tensor([[token for row in rows for token in row["input_ids"]]])
    assert _difference(model, rows, input_ids=ids, attention_mask=torch.ones_like(ids)) > 0.1
