"""What generates, and how many at once: by the recipe, the device, and what is installed."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, Gemma2Config

from tradewind.config import EvaluateConfig, ModelConfig
from tradewind.errors import UserError
from tradewind.models import locate
from tradewind.training import host_memory
from tradewind.training.generation import memory
from tradewind.training.generation.batches import SLACK
from tradewind.training.generation.memory import fitting_batch, total_memory
from tradewind.training.generation.plan import plan
from tradewind.training.generation.row_cache import RowCache

EMBEDDED = locate("embedded:tiny-gemma2")
PROMPTS = [[2, 9, 9], [2, 9, 9, 9]]
GIB = 2**30
GEMMA = Gemma2Config()  # the defaults are of Gemma-2's own size


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU as far as a plan looks."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(memory, "total_memory", lambda device: 80 * GIB)


@pytest.fixture
def vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vLLM as far as a plan looks: it can be found."""
    (tmp_path / "vllm.py").touch()
    monkeypatch.syspath_prepend(tmp_path)


def _plan(**settings: object) -> tuple[str, int, str]:
    found = plan(EMBEDDED, PROMPTS, ModelConfig(), EvaluateConfig.model_validate(settings))
    return found.generator, found.batch_size, found.why


def test_without_a_gpu_batches_generate_as_many_as_bring_speed() -> None:
    assert _plan()[:2] == ("batches", memory.MOST["cpu"])


@pytest.mark.usefixtures("gpu")
def test_on_a_gpu_it_is_continuous_batching() -> None:
    generator, size, why = _plan()
    assert (generator, size) == ("continuous", memory.MOST["cuda"])
    assert "vLLM is not installed" in why


def test_for_gpus_of_other_machines_it_is_theirs() -> None:
    """The process of a stage whose workers Ray starts elsewhere may see none itself."""
    found = plan(EMBEDDED, PROMPTS, ModelConfig(), EvaluateConfig(), device="cuda")
    assert (found.generator, found.batch_size) == ("continuous", memory.MOST["cuda"])
    assert "on other machines" in found.why


@pytest.mark.usefixtures("gpu")
def test_for_workers_without_a_gpu_it_is_batches_wherever_it_is_made() -> None:
    found = plan(EMBEDDED, PROMPTS, ModelConfig(), EvaluateConfig(), device="cpu")
    assert (found.generator, found.batch_size) == ("batches", memory.MOST["cpu"])


@pytest.mark.usefixtures("gpu", "vllm")
def test_on_a_gpu_it_is_vllm_where_that_is_installed() -> None:
    assert _plan()[0] == "vllm"
    assert _plan(generator="vllm")[0] == "vllm"
    assert _plan(generator="continuous")[0] == "continuous"
    assert _plan(generator="batches")[0] == "batches"
    assert "vllm" not in sys.modules


@pytest.mark.usefixtures("vllm")
@pytest.mark.parametrize("wish", ["vllm", "continuous"])
def test_a_wish_that_needs_a_gpu_is_answered_by_batches_and_says_so(wish: str) -> None:
    generator, _, why = _plan(generator=wish)
    assert generator == "batches"
    assert f"{wish} is for a GPU, and there is none" in why


@pytest.mark.usefixtures("gpu")
def test_vllm_that_is_not_installed_is_one_line() -> None:
    with pytest.raises(UserError, match=r"^evaluate\.generator: vllm is not installed; pip install vllm"):
        _plan(generator="vllm")


def test_the_recipes_own_number_is_taken_as_it_is() -> None:
    assert _plan(per_device_eval_batch_size=5)[:2] == ("batches", 5)


def test_no_prompts_have_a_plan_too() -> None:
    assert plan(EMBEDDED, [], ModelConfig(), EvaluateConfig()).batch_size >= 1


def test_memory_decides_in_powers_of_two_down_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fits(gib: float, tokens: int = 400) -> int:
        monkeypatch.setattr(memory, "total_memory", lambda device: int(gib * GIB))
        return fitting_batch(GEMMA, torch.bfloat16, tokens, 100, "cuda")

    found = [fits(gib) for gib in (1, 15, 16, 20, 24, 40, 80)]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (1, 256)
    assert len(set(found)) > 3
    assert all(math.log2(size).is_integer() for size in found)
    assert fits(20, 8000) < fits(20)


def test_the_estimate_of_the_cache_is_what_it_takes() -> None:
    """The bytes of a row, against those of the buffers."""
    config = AutoConfig.from_pretrained(EMBEDDED)
    cache = RowCache(config.num_hidden_layers, 4, 100 + SLACK, torch.device("cpu"))
    for layer in cache.layers:
        one = torch.zeros(1, config.num_key_value_heads, 1, config.head_dim)
        layer.lazy_initialization(one, one)
    taken = sum(states.nbytes for layer in cache.layers for states in (layer.keys, layer.values))
    row = memory.row_bytes(config, torch.float32, 100) - config.vocab_size * 4 * 4
    assert taken == 4 * row


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(host_memory, "LIMITS", ((limit, tmp_path / "used"), (tmp_path / "absent", tmp_path / "used")))
    machine = total_memory("cpu")
    limit.write_text("max\n")
    assert total_memory("cpu") == machine
    limit.write_text("536870912\n")
    assert total_memory("cpu") == GIB // 2
