"""The loss at the answers' tokens: torch's own numbers and gradients, whatever the parts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tradewind.training import answer_cross_entropy
from tradewind.training.answer_cross_entropy import AnswerCrossEntropy

TOKENS, DIMENSIONS, WORDS = 37, 16, 501


def _given(dtype: torch.dtype = torch.float32, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    hidden = (scale * torch.randn(TOKENS, DIMENSIONS, generator=generator)).requires_grad_()
    weight = torch.randn(WORDS, DIMENSIONS, generator=generator).to(dtype).requires_grad_()
    return hidden, weight, torch.randint(WORDS, (TOKENS,), generator=generator)


def _expected(hidden: Tensor, weight: Tensor, labels: Tensor, cap: float | None) -> tuple[Tensor, Tensor, Tensor]:
    logits = hidden @ weight.float().T
    if cap is not None:
        logits = cap * torch.tanh(logits / cap)
    loss = cross_entropy(logits, labels, reduction="sum")
    to_hidden, to_weight = torch.autograd.grad(loss, (hidden, weight))
    return loss, to_hidden, to_weight


@pytest.mark.parametrize("cap", [None, 5.0, 30.0, 200.0])
@pytest.mark.parametrize("part", [1, 10 * WORDS, 10**9], ids=["one at a time", "ten", "all"])
def test_loss_and_gradients_are_torchs(cap: float | None, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_cross_entropy, "PART", part)
    hidden, weight, labels = _given()
    loss = AnswerCrossEntropy(cap)(hidden, weight, labels)
    found = torch.autograd.grad(loss, (hidden, weight))
    expected, *gradients = _expected(hidden, weight, labels, cap)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    for mine, theirs in zip(found, gradients, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_logits_far_beyond_what_an_exponential_holds_are_no_infinity() -> None:
    hidden, weight, labels = _given(scale=100.0)
    loss = AnswerCrossEntropy()(hidden, weight, labels)
    expected, to_hidden, _ = _expected(hidden, weight, labels, None)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    torch.testing.assert_close(torch.autograd.grad(loss, hidden)[0], to_hidden, rtol=1e-4, atol=1e-4)


def test_a_head_in_bfloat16_differs_by_its_rounding_alone() -> None:
    hidden, weight, labels = _given(torch.bfloat16)
    loss = AnswerCrossEntropy(30.0)(hidden, weight, labels)
    expected, to_hidden, _ = _expected(hidden, weight, labels, 30.0)
    assert float(loss) == pytest.approx(float(expected), rel=1e-2)
    found = torch.autograd.grad(loss, hidden)[0]
    assert float((found - to_hidden).norm() / to_hidden.norm()) < 0.02


def test_a_frozen_head_costs_no_gradient_and_evaluation_none_at_all() -> None:
    hidden, weight, labels = _given()
    loss = AnswerCrossEntropy()
    value = loss(hidden, weight.detach(), labels)
    value.backward()
    assert hidden.grad is not None
    with torch.no_grad():
        assert float(loss(hidden, weight, labels)) == float(value)


def test_buffers_are_kept_and_a_smaller_batch_after_a_larger_one_is_right() -> None:
    hidden, weight, labels = _given()
    loss = AnswerCrossEntropy(30.0)
    loss(hidden, weight, labels)
    before = {name: kept.data_ptr() for name, kept in loss._kept.items()}
    few = loss(hidden[:5], weight, labels[:5])
    assert {name: kept.data_ptr() for name, kept in loss._kept.items()} == before
    assert float(few) == pytest.approx(float(AnswerCrossEntropy(30.0)(hidden[:5], weight, labels[:5])), rel=1e-6)


def test_the_gradient_follows_what_is_made_of_the_loss() -> None:
    hidden, weight, labels = _given()
    (AnswerCrossEntropy()(hidden, weight, labels) / 7).backward()
    _, to_hidden, to_weight = _expected(*_given(), None)
    torch.testing.assert_close(hidden.grad, to_hidden / 7, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(weight.grad, to_weight / 7, rtol=1e-4, atol=1e-6)
