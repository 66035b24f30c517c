"""What vLLM is asked for, and what is made of its answer, by a module with its interface: it needs a GPU itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradewind.training.generation.vllm_engine import by_vllm

MODULE = """
from types import SimpleNamespace

asked = {}

class SamplingParams:
    def __init__(self, **settings):
        self.__dict__ |= settings

class LLM:
    def __init__(self, model, **settings):
        asked.update(settings, model=model)

    def generate(self, prompts, sampling_params, use_tqdm=True):
        asked["sampling"] = vars(sampling_params)
        rows = [prompt["prompt_token_ids"][-1:] + sampling_params.stop_token_ids[:1] for prompt in prompts]
        return [SimpleNamespace(outputs=[SimpleNamespace(token_ids=tuple(row))]) for row in rows]
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "vllm.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("vllm", None)


def test_it_is_asked_for_greedy_answers_of_the_models_own_folder(tmp_path: Path) -> None:
    found = by_vllm(tmp_path, [[2, 7], [2, 8, 9]], [6, 1], max_new_tokens=20, dtype="bfloat16")
    asked = sys.modules["vllm"].asked
    assert found == [[7, 6], [9, 6]]
    assert (asked["model"], asked["dtype"], asked["revision"]) == (str(tmp_path), "bfloat16", None)
    assert asked["max_model_len"] == 23
    assert "max_num_seqs" not in asked
    assert asked["sampling"] == {
        "temperature": 0.0, "max_tokens": 20, "stop_token_ids": [6, 1], "detokenize": False,
    }  # fmt: skip


def test_the_recipes_number_of_rows_is_passed_on() -> None:
    by_vllm("owner/name", [[2, 7]], [6, 1], max_new_tokens=20, dtype="float32", revision="v1", batch_size=3)
    asked = sys.modules["vllm"].asked
    assert (asked["max_num_seqs"], asked["revision"], asked["tokenizer_revision"]) == (3, "v1", "v1")
