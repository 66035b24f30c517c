"""What generates a model's answers, and how many at once: decided before any weights are read."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from transformers import AutoConfig

from tradewind.config import EvaluateConfig, ModelConfig
from tradewind.preflight import check_generator
from tradewind.team import Device
from tradewind.training.generation.memory import MOST, fitting_batch

Generator = Literal["vllm", "continuous", "batches"]


@dataclass(frozen=True)
class Plan:
    """A generator, and the rows at once, which decide the last digits of what is computed."""

    generator: Generator
    batch_size: int
    """The most rows at once. Where the recipe says `auto`, vLLM and continuous batching take a number of their own,
    and this one is for the questions that continuous batching leaves out."""
    why: str
    """For the log."""


def plan(
    source: Path | str,
    prompts: Sequence[Sequence[int]],
    model_config: ModelConfig,
    config: EvaluateConfig,
    *,
    device: Device | None = None,
) -> Plan:
    """The recipe's wish where it can be had on this machine, else what comes nearest.

    The same machine, model and prompts give the same plan: kept answers are found by it.

    Args:
        source: the model's folder or hub name.
        prompts: token ids.
        device: what the answers are computed on; None: a GPU where this process sees one.

    Raises:
        UserError: vLLM is asked for and not installed.
    """
    check_generator(config)
    here: Device = "cuda" if torch.cuda.is_available() else "cpu"
    device = device or here
    generator, why = _generator(config.generator, device)
    if config.per_device_eval_batch_size != "auto":
        return Plan(generator, config.per_device_eval_batch_size, f"{why}; as many at once as the recipe says")
    if device == "cuda" and here == "cpu":
        return Plan(generator, MOST[device], f"{why}, on other machines")  # whose memory nobody here can measure
    revision = model_config.model_revision if isinstance(source, str) else None
    prompt = max((len(prompt) for prompt in prompts), default=1)
    size = fitting_batch(
        AutoConfig.from_pretrained(source, revision=revision), getattr(torch, model_config.dtype),
        prompt + config.max_new_tokens, prompt, device,
    )  # fmt: skip
    many = "what fits into memory, up to where more bring no speed" if generator == "batches" else "its own choice"
    return Plan(generator, size, f"{why}; at once {many}")


def _generator(wish: str, device: Device) -> tuple[Generator, str]:
    if wish == "batches":
        return "batches", "as the recipe says"
    if device == "cpu":
        return "batches", "there is no GPU" if wish == "auto" else f"{wish} is for a GPU, and there is none"
    if wish == "continuous":
        return "continuous", "as the recipe says"
    if importlib.util.find_spec("vllm") is not None:
        return "vllm", "as the recipe says" if wish == "vllm" else "there is a GPU, and vLLM is installed"
    return "continuous", "there is a GPU, and vLLM is not installed"
