"""Greedy answers of a model, made in the same way for every model compared.

Each model is loaded by itself, once: base, adapted, tuned and champion are whole merged models, and adaptation and
merging change every weight that an adapter touches, so there is no base in memory that two of them could share.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from tradewind.config import EvaluateConfig, ModelConfig
from tradewind.training.generation.batches import in_batches
from tradewind.training.generation.continuous import continuously
from tradewind.training.generation.plan import Plan
from tradewind.training.generation.vllm_engine import by_vllm
from tradewind.training.load import load_model
from tradewind.training.tokens import stop_ids

log = logging.getLogger("tradewind")
EVERY = 10.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True)
class Answer:
    """A model's answer, and whether it was cut by `max_new_tokens`."""

    text: str
    hit_token_limit: bool


@dataclass(frozen=True)
class Made:
    """The answers in the prompts' order, and how they were made in the end."""

    answers: list[Answer]
    plan: Plan


def answer_all(
    name: str,
    source: Path | str,
    prompts: Sequence[list[int]],
    *,
    tokenizer: PreTrainedTokenizerBase,
    model_config: ModelConfig,
    config: EvaluateConfig,
    plan: Plan,
) -> Made:
    """One answer a prompt, in the prompts' order, up to `<end_of_turn>` or `<eos>`.

    Where continuous batching leaves a question without an answer, batches answer it, with a warning.

    Args:
        name: for progress lines.
        source: the model's folder or hub name.
        prompts: token ids, by `chat_prompt`.
        tokenizer: the model's.

    Raises:
        UserError: the model cannot be had.
    """
    log.info("%s: %s, %d at once (%s)", name, plan.generator, plan.batch_size, plan.why)
    began = time.monotonic()
    ends = stop_ids(tokenizer)
    rows, used = _generated(name, source, prompts, ends=ends, model_config=model_config, config=config, plan=plan)
    log.info("%s answered %d questions in %.0f s", name, len(rows), time.monotonic() - began)
    return Made([_answer(tokenizer, row, ends) for row in rows], used)


def _generated(
    name: str,
    source: Path | str,
    prompts: Sequence[list[int]],
    *,
    ends: Sequence[int],
    model_config: ModelConfig,
    config: EvaluateConfig,
    plan: Plan,
) -> tuple[list[list[int]], Plan]:
    limit = config.max_new_tokens
    wished = None if config.per_device_eval_batch_size == "auto" else plan.batch_size
    if plan.generator == "vllm" and prompts:
        revision = model_config.model_revision if isinstance(source, str) else None
        found = by_vllm(source, prompts, ends, max_new_tokens=limit, dtype=model_config.dtype, revision=revision,
                        batch_size=wished)  # fmt: skip
        return found, plan
    model = load_model(source, model_config).eval()
    rows: list[list[int] | None] = [None] * len(prompts)
    if plan.generator == "continuous":
        try:
            rows = continuously(model, prompts, ends, max_new_tokens=limit, batch_size=wished)
        except (RuntimeError, MemoryError, ValueError, TypeError, ImportError) as error:
            log.warning("%s: continuous batching failed: %s: %s", name, type(error).__name__, error)
    left = [index for index, row in enumerate(rows) if row is None]
    if left and plan.generator == "continuous":
        log.warning("%s: continuous batching left %d of %d questions; batches answer them", name, len(left), len(rows))
        plan = replace(plan, generator="batches")
    found = in_batches(model, [prompts[index] for index in left], ends, max_new_tokens=limit,
                       batch_size=plan.batch_size, done=_progress(name, len(left)))  # fmt: skip
    for index, row in zip(left, found, strict=True):
        rows[index] = row
    return [row for row in rows if row is not None], plan


def _progress(name: str, total: int) -> Callable[[int], None]:
    """A line now and then."""
    began = last = time.monotonic()

    def tell(answered: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= EVERY:
            last = now
            log.info("%s answered %d/%d in %.0f s", name, answered, total, now - began)

    return tell


def _answer(tokenizer: PreTrainedTokenizerBase, row: Sequence[int], ends: Sequence[int]) -> Answer:
    end = next((at for at, token in enumerate(row) if token in ends), None)
    return Answer(tokenizer.decode(row[:end], skip_special_tokens=True).strip(), end is None)
