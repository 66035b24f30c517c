"""How many questions a device's memory has room for: by its size, so that the same machine always says the same."""

from __future__ import annotations

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig

from tradewind.training.generation.batches import PROMPT_TOKENS, SLACK
from tradewind.training.host_memory import total_bytes

SHARE_OF_GPU = 0.7
"""Of all its memory: a GPU is leased to one stage alone, but libraries and fragments take their part."""
SHARE_OF_MACHINE = 0.4
"""Of a machine's memory or the container's limit: other stages may run beside this one."""
MOST = {"cuda": 256, "cpu": 128}
"""More at once bring no speed. On a CPU core 80 M parameters in float32 took 8.6 ms of CPU time a token with 16 rows,
6.4 with 32, and, once prompts were computed 1024 tokens at a time, 5.2 with 64, 5.0 with 96 and 5.1 with 128."""
_LOGITS_COPIES = 4  # as the model makes them, twice in its soft cap, and as 32-bit numbers
_SCORES_COPIES = 3


def total_memory(device: str) -> int:
    """Bytes of the GPU `cuda`, or those that this process may have of the machine's."""
    if device == "cuda":
        return int(torch.cuda.get_device_properties(0).total_memory)
    return total_bytes()


def fitting_batch(config: PretrainedConfig, dtype: torch.dtype, tokens: int, prompt: int, device: str) -> int:
    """The most rows, a power of 2 and at least 1, whose cache and logits fit beside the weights.

    Args:
        config: the model's; no weights are read.
        tokens: of the longest prompt and answer together.
        prompt: tokens of the longest prompt.
        device: `cuda` or `cpu`.
    """
    heads = config.get_text_config().num_attention_heads
    scores = heads * prompt * max(prompt, PROMPT_TOKENS) * 4 * _SCORES_COPIES
    share = SHARE_OF_GPU if device == "cuda" else SHARE_OF_MACHINE
    room = total_memory(device) * share - _parameters(config) * dtype.itemsize - scores
    rows = max(1, min(int(room // row_bytes(config, dtype, tokens)), MOST[device]))
    return 1 << (rows.bit_length() - 1)


def row_bytes(config: PretrainedConfig, dtype: torch.dtype, tokens: int) -> int:
    """What one row of `tokens` takes: its keys and values in every layer, and the logits of its last token."""
    text = config.get_text_config()
    size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    shared = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    cache = 2 * text.num_hidden_layers * shared * size * dtype.itemsize * (tokens + SLACK)
    return int(cache + text.vocab_size * 4 * _LOGITS_COPIES)


def _parameters(config: PretrainedConfig) -> int:
    with torch.device("meta"):  # where tensors have a shape and no memory
        return int(AutoModelForCausalLM.from_config(config).num_parameters())
