"""Answers of batches equal those of each prompt alone, token for token, and nothing is lost out of memory."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM, PreTrainedModel, set_seed

from tradewind.config import ModelConfig
from tradewind.errors import UserError
from tradewind.models import locate
from tradewind.training.generation import batches
from tradewind.training.generation.batches import in_batches
from tradewind.training.load import load_model, load_tokenizer
from tradewind.training.tokens import chat_prompt, stop_ids

pytestmark = pytest.mark.timeout(300)
EMBEDDED = locate("embedded:tiny-gemma2")
SUBJECTS = ("demurrage", "a bill of lading", "FOB", "general average and who pays for it in the end", "무역", "a quota")
QUESTIONS = [f"{ask} {subject}?" for subject in SUBJECTS for ask in ("What is", "Who has to do with", "Why is there")]
LIMIT = 24


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return load_model(EMBEDDED, ModelConfig()).eval()


@pytest.fixture(scope="module")
def ends() -> list[int]:
    return stop_ids(load_tokenizer(EMBEDDED))


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    """Short ones, and two beyond the sliding window of 256 tokens."""
    tokenizer = load_tokenizer(EMBEDDED)
    long = [" ".join(random.Random(seed).choices(QUESTIONS, k=40)) for seed in range(2)]
    found = [chat_prompt(tokenizer, question) for question in [*QUESTIONS[:9], *long, *QUESTIONS[9:]]]
    assert max(len(prompt) for prompt in found) > 300
    return found


def _alone(model: PreTrainedModel, prompts: list[list[int]], ends: list[int], limit: int = LIMIT) -> list[list[int]]:
    found = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        output = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=limit,
            eos_token_id=ends, pad_token_id=0,
        )  # fmt: skip
        found.append(output[0, len(prompt) :].tolist())
    return found


@pytest.fixture(scope="module")
def alone(model: PreTrainedModel, prompts: list[list[int]], ends: list[int]) -> list[list[int]]:
    return _alone(model, prompts, ends)


@pytest.mark.parametrize("size", [1, 3, 8, 64])
def test_each_answer_is_the_one_that_its_prompt_gets_alone(
    model: PreTrainedModel, prompts: list[list[int]], ends: list[int], alone: list[list[int]], size: int
) -> None:
    assert len({len(answer) for answer in alone}) > 3  # rows do end at different times
    assert in_batches(model, prompts, ends, max_new_tokens=LIMIT, batch_size=size) == alone
    assert model.config._attn_implementation == "eager"


def test_an_answer_that_crosses_the_window_is_the_one_alone() -> None:
    """Random weights and no stop: all rows grow past a window of 16, and the cache moves to its front often."""
    set_seed(1)
    config = Gemma2Config(
        vocab_size=300, hidden_size=64, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, query_pre_attn_scalar=16, sliding_window=16, tie_word_embeddings=False,
        attn_implementation="eager", initializer_range=0.2,
    )  # fmt: skip
    model = Gemma2ForCausalLM(config).eval()
    rng = random.Random(3)
    prompts = [[rng.randrange(3, 300) for _ in range(rng.choice([1, 4, 14, 16, 17, 40]))] for _ in range(20)]
    ends = [rng.randrange(3, 300) for _ in range(9)]
    alone = _alone(model, prompts, ends, 150)
    lengths = {len(answer) for answer in alone}
    assert len(lengths) > 5
    assert max(lengths) > batches.SLACK
    assert in_batches(model, prompts, ends, max_new_tokens=150, batch_size=6) == alone


def test_no_step_is_made_for_a_row_that_has_ended(
    model: PreTrainedModel, prompts: list[list[int]], ends: list[int], alone: list[list[int]]
) -> None:
    rows = []
    hook = model.lm_head.register_forward_hook(lambda _, args, __: rows.append(tuple(args[0].shape[:2])))
    told: list[int] = []
    try:
        in_batches(model, prompts, ends, max_new_tokens=LIMIT, batch_size=4, done=told.append)
    finally:
        hook.remove()
    assert {tokens for _, tokens in rows} == {1}
    assert sum(count for count, _ in rows) == sum(len(answer) for answer in alone)
    assert told == sorted(set(told))
    assert told[-1] == len(prompts)


def test_either_end_ends_an_answer(model: PreTrainedModel, prompts: list[list[int]], alone: list[list[int]]) -> None:
    third = alone[0][2]
    (found,) = in_batches(model, prompts[:1], [third, 2_000], max_new_tokens=LIMIT, batch_size=2)
    assert found == alone[0][: alone[0].index(third) + 1]


def test_without_prompts_there_are_no_answers(model: PreTrainedModel, ends: list[int]) -> None:
    assert in_batches(model, [], ends, max_new_tokens=LIMIT, batch_size=8) == []


@pytest.fixture
def small_memory(model: PreTrainedModel, request: pytest.FixtureRequest) -> Iterator[list[int]]:
    """The model runs out of memory with more than `request.param[1]` rows; the sizes that it was given."""
    error, most = request.param
    sizes = []

    def refuse(_: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        sizes.append(len(args[0]))
        if len(args[0]) > most:
            raise error

    hook = model.lm_head.register_forward_pre_hook(refuse)
    yield sizes
    hook.remove()


REFUSED = RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.")


@pytest.mark.parametrize(
    "small_memory", [(torch.OutOfMemoryError("CUDA out of memory."), 3), (MemoryError(), 3), (REFUSED, 3)],
    indirect=True, ids=["gpu", "python", "cpu"],
)  # fmt: skip
def test_out_of_memory_halves_the_batch_and_loses_nothing(
    model: PreTrainedModel, prompts: list[list[int]], ends: list[int], alone: list[list[int]],
    small_memory: list[int], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    assert in_batches(model, prompts, ends, max_new_tokens=LIMIT, batch_size=16) == alone
    assert [record.getMessage().rsplit("going on with ")[-1] for record in caplog.records] == [
        f"{size} questions at once" for size in (8, 4, 2)
    ]
    assert max(small_memory) > 3


@pytest.mark.parametrize("small_memory", [(REFUSED, 0)], indirect=True)
def test_where_one_question_does_not_fit_it_is_said(
    model: PreTrainedModel, prompts: list[list[int]], ends: list[int], small_memory: list[int]
) -> None:
    with pytest.raises(UserError, match=r"^out of memory with one question at once; lower evaluate\.max_new_tokens"):
        in_batches(model, prompts[:2], ends, max_new_tokens=LIMIT, batch_size=2)


@pytest.mark.parametrize("small_memory", [(RuntimeError("shapes do not match"), 3)], indirect=True)
def test_another_error_is_not_taken_for_it(
    model: PreTrainedModel, prompts: list[list[int]], ends: list[int], small_memory: list[int]
) -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        in_batches(model, prompts, ends, max_new_tokens=LIMIT, batch_size=16)
