"""Models and tokenizers from where a recipe says, with one clear line where they cannot be had."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import datasets
import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from tradewind.config import ModelConfig, QuantizationSettings
from tradewind.errors import UserError
from tradewind.team import Device
from tradewind.training.attention import choose_attention
from tradewind.training.four_bits import four_bits, keep_differentiable

log = logging.getLogger("tradewind")


def load_tokenizer(source: Path | str, revision: str | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a model; it must have a chat template.

    Raises:
        UserError: it cannot be had, or it has no chat template.
    """
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(source, revision=revision)
    except (OSError, ValueError) as error:
        raise _unavailable(source, error) from error
    if not tokenizer.chat_template:
        raise UserError(f"model '{source}': its tokenizer has no chat template; use an instruction-tuned Gemma (-it)")
    return tokenizer


def load_model(
    source: Path | str,
    config: ModelConfig,
    quantization: QuantizationSettings | None = None,
    *,
    device: Device | None = None,
    used_on: Device | None = None,
) -> PreTrainedModel:
    """The weights, in the recipe's dtype.

    Args:
        source: the model's folder or hub name.
        quantization: load the weights of the layers in 4 bits.
        device: where they go; None: on the GPU where there is one.
        used_on: where they are to compute, if not there.

    Raises:
        UserError: they cannot be had, are damaged, or the model is gated; or 4 bits do not work here.
    """
    _quiet_bars()
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    attention, why = choose_attention(config, used_on or device)
    in_bits: dict[str, Any] = {}
    if quantization is not None and quantization.load_in_4bit:
        # Onto the device at once: it holds no more than the 4 bits at any time.
        in_bits = {"quantization_config": four_bits(quantization, torch.device(device)), "device_map": {"": device}}
    log.info("%s attention: %s", attention, why)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            source,
            revision=config.model_revision if isinstance(source, str) else None,
            dtype=getattr(torch, config.dtype),
            attn_implementation=attention,
            **in_bits,
        )
    except (OSError, ValueError, SafetensorError, json.JSONDecodeError) as error:
        raise _unavailable(source, error) from error
    if not in_bits:
        return model.to(device)
    keep_differentiable(model)
    return model


def _quiet_bars() -> None:
    """Progress bars are for a terminal; a log gets plain lines."""
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
        transformers_logging.disable_progress_bar()


def _unavailable(source: Path | str, error: Exception) -> UserError:
    kind = type(error).__name__
    cause = f"{kind} {error.__cause__ or ''} {error}"
    if "Gated" in cause or "gated repo" in cause:
        what = "is gated; accept its licence on the hub and set HF_TOKEN"
    elif "RepositoryNotFound" in cause or "is not a local folder" in cause:
        what = "is neither a folder nor a model on the hub; check the name"
    elif isinstance(source, str):
        what = "cannot be fetched; check the network, HF_TOKEN and HF_HUB_OFFLINE, or name a local folder"
    else:
        what = "cannot be read; its files are damaged or not a causal language model's"
    return UserError(f"model '{source}': {what} ({kind})")
