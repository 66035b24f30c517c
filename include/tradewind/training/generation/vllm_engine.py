"""Greedy answers by vLLM, which reads the model's folder itself."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Collection, Sequence
from pathlib import Path

import torch


def by_vllm(
    source: Path | str,
    prompts: Sequence[Sequence[int]],
    ends: Collection[int],
    *,
    max_new_tokens: int,
    dtype: str,
    revision: str | None = None,
    batch_size: int | None = None,
) -> list[list[int]]:
    """The answer's token ids of each prompt, in the prompts' order.

    Args:
        source: the model's folder or hub name.
        prompts: token ids; none is empty.
        ends: tokens that end an answer.
        dtype: of the weights, by its name in torch.
        revision: of a model on the hub.
        batch_size: rows at once at most; None: vLLM's own choice.

    Raises:
        Exception: vLLM's own, where the model does not fit or is not known to it.
    """
    vllm = importlib.import_module("vllm")  # takes seconds, and is not there everywhere
    limit = {} if batch_size is None else {"max_num_seqs": batch_size}
    engine = vllm.LLM(
        model=str(source),
        revision=revision,
        tokenizer_revision=revision,
        dtype=dtype,
        max_model_len=max(len(prompt) for prompt in prompts) + max_new_tokens,
        seed=0,
        **limit,
    )
    outputs = engine.generate(
        [{"prompt_token_ids": list(prompt)} for prompt in prompts],
        vllm.SamplingParams(temperature=0.0, max_tokens=max_new_tokens, stop_token_ids=list(ends), detokenize=False),
        use_tqdm=False,
    )
    found = [list(output.outputs[0].token_ids) for output in outputs]
    # The next model wants the memory: the engine gives it back when nothing holds on to it.
    del engine, outputs
    gc.collect()
    torch.cuda.empty_cache()
    return found
