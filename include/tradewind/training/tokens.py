"""Pairs and texts as token ids, with the rules of what carries loss asserted on every row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from transformers import PreTrainedTokenizerBase

from tradewind.errors import UserError

IGNORED = -100  # torch.nn.CrossEntropyLoss's ignore_index, and TRL's label for "no loss"
END_OF_TURN = "<end_of_turn>"


def chat_prompt(tokenizer: PreTrainedTokenizerBase, question: str) -> list[int]:
    """The question through the model's own chat template, up to where the answer begins."""
    message = [{"role": "user", "content": question}]
    return list(tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=True, return_dict=False))


def pair_tokens(tokenizer: PreTrainedTokenizerBase, question: str, answer: str) -> dict[str, list[int]]:
    """One training row: `input_ids`, and `labels` with loss on the answer, its `<end_of_turn>` and `<eos>` only.

    The template ends a turn with `<end_of_turn>` and a newline; `<eos>` is appended, so that the
    model learns both ends that generation stops at.

    Raises:
        UserError: the tokenizer's template breaks a rule of `assert_token_rules`.
    """
    prompt = chat_prompt(tokenizer, question)
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    whole = list(tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False))
    if whole[: len(prompt)] != prompt:
        raise UserError(f"tokenizer {tokenizer.name_or_path}: its chat template does not keep the prompt as a prefix")
    if whole[-1] != tokenizer.eos_token_id:
        whole.append(_id(tokenizer, "eos_token_id"))
    row = {"input_ids": whole, "labels": [IGNORED] * len(prompt) + whole[len(prompt) :]}
    assert_token_rules(tokenizer, row, len(prompt))
    return row


def assert_token_rules(tokenizer: PreTrainedTokenizerBase, row: dict[str, list[int]], prompt_length: int) -> None:
    """Exactly one `<bos>`, at the head; no loss on the prompt; loss on `<end_of_turn>` and one `<eos>`.

    Raises:
        UserError: naming the rule that is broken and the first tokens of the row.
    """
    ids, labels = row["input_ids"], row["labels"]
    learnt = [label for label in labels if label != IGNORED]
    bos, eos = _id(tokenizer, "bos_token_id"), _id(tokenizer, "eos_token_id")
    end = tokenizer.convert_tokens_to_ids(END_OF_TURN)
    rules = {
        "exactly one <bos>, at the head": ids.count(bos) == 1 and ids[0] == bos,
        "no loss on the prompt": all(label == IGNORED for label in labels[:prompt_length]),
        "loss on every token of the answer": labels[prompt_length:] == ids[prompt_length:],
        "loss on one <end_of_turn>": learnt.count(end) == 1,
        "loss on one <eos>, at the end": ids.count(eos) == 1 and learnt[-1:] == [eos],
    }
    broken = [rule for rule, holds in rules.items() if not holds]
    if broken:
        head = tokenizer.convert_ids_to_tokens(ids[:8])
        raise UserError(f"tokenizer {tokenizer.name_or_path}: a training row breaks the rule '{broken[0]}': {head} ...")


def text_tokens(tokenizer: PreTrainedTokenizerBase, text: str, max_length: int) -> Iterable[dict[str, list[int]]]:
    """Rows of running text, `<bos>` ... `<eos>`, loss on all; a long text is cut into several, nothing is lost."""
    body = tokenizer(text, add_special_tokens=False)["input_ids"]
    room = max_length - 2
    for start in range(0, len(body), room):
        ids = [_id(tokenizer, "bos_token_id"), *body[start : start + room], _id(tokenizer, "eos_token_id")]
        yield {"input_ids": ids, "labels": list(ids)}


def stop_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens that end an answer: `<end_of_turn>` and `<eos>`."""
    return [tokenizer.convert_tokens_to_ids(END_OF_TURN), _id(tokenizer, "eos_token_id")]


def _id(tokenizer: PreTrainedTokenizerBase, name: str) -> int:
    value: Any = getattr(tokenizer, name)
    if value is None:
        raise UserError(f"tokenizer {tokenizer.name_or_path}: has no {name}; use a Gemma-2 tokenizer")
    return int(value)
