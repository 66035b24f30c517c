"""Greedy answers by transformers' continuous batching: pages of cache, and prompts beside answers in one step."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from transformers import GenerationConfig, PreTrainedModel


def continuously(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    ends: Collection[int],
    *,
    max_new_tokens: int,
    batch_size: int | None = None,
    memory_share: float | None = None,
) -> list[list[int] | None]:
    """The answer's token ids of each prompt, in the prompts' order; None where none was made.

    Args:
        model: in evaluation mode.
        prompts: token ids; none is empty.
        ends: tokens that end an answer.
        batch_size: rows at once at most; None: transformers' own choice.
        memory_share: of the free memory, for the cache; None: transformers' own choice.

    Raises:
        Exception: transformers' own, where the model or the device does not suit it.
    """
    from transformers import ContinuousBatchingConfig  # which not every version that batches run on has

    before = model.config._attn_implementation  # noqa: SLF001 - there is no public way to read it
    try:
        outputs = model.generate_batch(
            [list(prompt) for prompt in prompts],
            generation_config=GenerationConfig(
                do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=list(ends), pad_token_id=0
            ),
            continuous_batching_config=ContinuousBatchingConfig(
                max_requests_per_batch=batch_size, max_memory_percent=memory_share
            ),
        )
    finally:
        model.set_attn_implementation(before)
    made: dict[tuple[int, ...], list[int]] = {
        tuple(output.prompt_ids): output.generated_tokens for output in outputs.values() if output.error is None
    }
    return [made.get(tuple(prompt)) for prompt in prompts]
