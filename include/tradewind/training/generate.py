"""Greedy answers in batches, the same way for every model compared."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tradewind.config import EvaluateConfig, ModelConfig
from tradewind.training.load import load_model, load_tokenizer
from tradewind.training.tokens import stop_ids

log = logging.getLogger("tradewind")


@dataclass(frozen=True)
class Answer:
    """A model's answer, and whether it was cut by `max_new_tokens`."""

    text: str
    hit_token_limit: bool


def answer_all(
    name: str, source: Path | str, prompts: Sequence[list[int]], model_config: ModelConfig, config: EvaluateConfig
) -> list[Answer]:
    """One answer a prompt, in the prompts' order.

    Args:
        name: for progress lines.
        source: the model's folder or hub name.
        prompts: token ids, by `chat_prompt`.
    """
    tokenizer = load_tokenizer(source, model_config.model_revision if isinstance(source, str) else None)
    model = load_model(source, model_config).eval()
    # Prompts of like length share a batch, so that little is padding.
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    answers: dict[int, Answer] = {}
    began = time.monotonic()
    size = 32 if config.per_device_eval_batch_size == "auto" else config.per_device_eval_batch_size
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        found = _generate(model, tokenizer, [prompts[index] for index in batch], config.max_new_tokens)
        answers |= dict(zip(batch, found, strict=True))
        log.info("%s answered %d/%d in %.0f s", name, len(answers), len(order), time.monotonic() - began)
    return [answers[index] for index in range(len(prompts))]


def _generate(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[list[int]], max_new_tokens: int
) -> list[Answer]:
    width = max(len(prompt) for prompt in prompts)
    pad = tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=model.device)
    stops = stop_ids(tokenizer)
    output = model.generate(
        input_ids=ids,
        attention_mask=mask,
        do_sample=False,
        num_beams=1,
        max_new_tokens=max_new_tokens,
        eos_token_id=stops,
        pad_token_id=pad,
    )
    answers = []
    for row in output[:, width:].tolist():
        end = next((at for at, token in enumerate(row) if token in stops), None)
        text = tokenizer.decode(row[:end], skip_special_tokens=True).strip()
        answers.append(Answer(text, end is None))
    return answers
