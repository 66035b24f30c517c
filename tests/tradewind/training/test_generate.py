"""Answers as text, whichever generator makes them."""

from __future__ import annotations

import logging

import pytest
from transformers import PreTrainedTokenizerBase

from tradewind.config import EvaluateConfig, ModelConfig
from tradewind.models import locate
from tradewind.training import generate
from tradewind.training.generate import Answer, Made, answer_all
from tradewind.training.generation.plan import Plan
from tradewind.training.load import load_tokenizer
from tradewind.training.tokens import chat_prompt

EMBEDDED = locate("embedded:tiny-gemma2")
QUESTIONS = ["What is demurrage?", "Who pays the freight?", "무역이란 무엇인가요?", "Who?"]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return load_tokenizer(EMBEDDED)


def _made(tokenizer: PreTrainedTokenizerBase, plan: Plan, limit: int = 12) -> Made:
    prompts = [chat_prompt(tokenizer, question) for question in QUESTIONS]
    config = EvaluateConfig(max_new_tokens=limit, per_device_eval_batch_size=plan.batch_size)
    return answer_all(
        "base", EMBEDDED, prompts, tokenizer=tokenizer, model_config=ModelConfig(), config=config, plan=plan
    )


def test_an_answer_is_text_without_marks_and_says_whether_it_was_cut(tokenizer: PreTrainedTokenizerBase) -> None:
    whole, cut = (_made(tokenizer, Plan("batches", 3, "test"), limit).answers for limit in (80, 3))
    assert all("<" not in answer.text and answer.text == answer.text.strip() for answer in whole)
    assert not all(answer.hit_token_limit for answer in whole)
    assert all(answer.hit_token_limit for answer in cut)
    assert all(one.text.startswith(other.text) for one, other in zip(whole, cut, strict=True))


def test_what_was_chosen_and_why_is_one_line(
    tokenizer: PreTrainedTokenizerBase, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="tradewind")
    _made(tokenizer, Plan("batches", 3, "there is no GPU"))
    assert caplog.messages[0] == "base: batches, 3 at once (there is no GPU)"


def test_where_continuous_batching_fails_batches_answer(
    tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object, **__: object) -> list[list[int] | None]:
        raise ValueError("no pages for this model")

    expected = _made(tokenizer, Plan("batches", 3, "test"))
    monkeypatch.setattr(generate, "continuously", fails)
    found = _made(tokenizer, Plan("continuous", 3, "test"))
    assert found == expected
    assert "no pages for this model" in caplog.text
    assert "left 4 of 4 questions; batches answer them" in caplog.text


def test_what_continuous_batching_left_out_is_answered_by_batches(
    tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = tokenizer.eos_token_id
    monkeypatch.setattr(generate, "continuously", lambda *_, **__: [None, [end], None, [end]])
    expected = _made(tokenizer, Plan("batches", 3, "test")).answers
    found = _made(tokenizer, Plan("continuous", 3, "test"))
    assert found.answers == [expected[0], Answer("", False), expected[2], Answer("", False)]
    assert found.plan.generator == "batches"
