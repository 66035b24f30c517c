"""What carries loss, on the real tokenizer of the embedded Gemma-2."""

from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerBase

from tradewind.errors import UserError
from tradewind.models import locate
from tradewind.training.load import load_tokenizer
from tradewind.training.tokens import (
    IGNORED,
    assert_token_rules,
    chat_prompt,
    pair_tokens,
    stop_ids,
    text_tokens,
)

QUESTION, ANSWER = "What does the trade term 'Demurrage' mean?", "A charge for leaving a container too long."


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return load_tokenizer(locate("embedded:tiny-gemma2"))


@pytest.mark.parametrize(
    "answer", [ANSWER, "신용장은 은행이 지급을 약속하는 문서이다.", "  spaces  ", "<b>&\\n{{ x }}"]
)
def test_loss_is_on_the_answer_its_end_of_turn_and_one_eos(tokenizer: PreTrainedTokenizerBase, answer: str) -> None:
    row = pair_tokens(tokenizer, QUESTION, answer)
    prompt = chat_prompt(tokenizer, QUESTION)
    assert row["input_ids"][: len(prompt)] == prompt
    assert row["input_ids"].count(tokenizer.bos_token_id) == 1
    learnt = [label for label in row["labels"] if label != IGNORED]
    assert learnt == row["input_ids"][len(prompt) :]
    assert tokenizer.convert_ids_to_tokens(learnt)[-3] == "<end_of_turn>"
    assert learnt[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(learnt, skip_special_tokens=True).strip() == answer.strip()


def test_the_literal_string_gets_a_second_bos_and_is_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    message = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
    formatted = tokenizer.apply_chat_template(message, tokenize=False)
    ids = tokenizer(formatted)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids[:3]) == ["<bos>", "<bos>", "<start_of_turn>"]
    with pytest.raises(UserError, match="exactly one <bos>"):
        assert_token_rules(tokenizer, {"input_ids": ids, "labels": list(ids)}, 0)


@pytest.mark.parametrize(
    ("broken", "rule"),
    [("end_of_turn", "every token of the answer"), ("eos", "one <eos>"), ("prompt", "no loss on the prompt")],
)
def test_a_row_that_breaks_a_rule_is_refused(tokenizer: PreTrainedTokenizerBase, broken: str, rule: str) -> None:
    row = pair_tokens(tokenizer, QUESTION, ANSWER)
    prompt = len(chat_prompt(tokenizer, QUESTION))
    if broken == "end_of_turn":
        row["labels"][-3] = IGNORED
    elif broken == "eos":
        row = {name: ids[:-1] for name, ids in row.items()}
    else:
        row["labels"][prompt - 1] = row["input_ids"][prompt - 1]
    with pytest.raises(UserError, match=rule):
        assert_token_rules(tokenizer, row, prompt)


def test_a_long_text_is_cut_and_nothing_is_lost(tokenizer: PreTrainedTokenizerBase) -> None:
    text = "The buyer pays the seller when the goods arrive. " * 40
    rows = list(text_tokens(tokenizer, text, 64))
    assert all(len(row["input_ids"]) <= 64 for row in rows)
    assert "".join(tokenizer.decode(row["input_ids"], skip_special_tokens=True) for row in rows) == text
    for row in rows:
        assert row["input_ids"][0] == tokenizer.bos_token_id
        assert row["input_ids"][-1] == tokenizer.eos_token_id
        assert row["labels"] == row["input_ids"]


def test_generation_stops_at_end_of_turn_and_at_eos(tokenizer: PreTrainedTokenizerBase) -> None:
    assert tokenizer.convert_ids_to_tokens(stop_ids(tokenizer)) == ["<end_of_turn>", "<eos>"]


def test_a_system_turn_is_refused_as_gemma_does(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(Exception, match="no system role"):
        tokenizer.apply_chat_template([{"role": "system", "content": "x"}], tokenize=False)
