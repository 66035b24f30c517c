"""The arithmetic that a LoRA training step needs, counted from the architecture, and the machine's measured peak.

A product of a token with a matrix of `n` weights takes `2n` floating-point operations (Kaplan et al., arXiv 2001.08361,
section 2.1), and so does the gradient with respect to its input; the gradient of a frozen weight is not needed, that of
a weight of the adapter takes `2n` more. So a token costs

    4 * (weights of the seven projections of all layers)   forward, and backward through them
  + 6 * (weights of the adapters)                          forward, and backward with their own gradients
  - 2 * (query, key and value weights of the first layer)  nothing trainable lies before them

and a position that carries loss `4 * hidden * vocabulary` for the logits. Attention (Chowdhery et al., arXiv
2204.02311, appendix B: `12 * layers * heads * head_dim * length` a token, forward and backward) is counted by half, as
a causal mask needs half. Only real tokens count: no padding, no prompt's logits, nothing computed twice. The share of
the peak is that over the time and the peak of a large product of matrices in the precision that was computed in.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

IGNORED = -100
_SIZES = {"cpu": (1024, 2048, 3072), "cuda": (4096, 8192, 12_288)}
_TRIES = 8


def training_flops(
    architecture: Mapping[str, int], vocabulary: int, rank: int, rows: Iterable[Mapping[str, Sequence[int]]]
) -> float:
    """Of one epoch over rows of `input_ids` and `labels`; `architecture` names what `Gemma2Config` does."""
    hidden, inner, layers = (architecture[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    heads, pairs, width = (architecture[name] for name in ("num_attention_heads", "num_key_value_heads", "head_dim"))
    queries, keys = heads * width, pairs * width
    shapes = [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden)]
    shapes += [(hidden, inner), (hidden, inner), (inner, hidden)]
    frozen = layers * sum(given * made for given, made in shapes)
    adapters = layers * sum(rank * (given + made) for given, made in shapes)
    first = hidden * (queries + 2 * keys)
    a_token = 4 * frozen + 6 * adapters - 2 * first
    total = 0.0
    for row in rows:
        length = len(row["input_ids"])
        learnt = sum(label != IGNORED for label in row["labels"])
        total += length * (a_token + 6 * layers * queries * length) + learnt * 4 * hidden * vocabulary
    return total


def peak(dtype: str) -> float:
    """Operations a second of the best of some large products of this type, on the GPU where there is one."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = getattr(torch, dtype)
    best = 0.0
    for size in _SIZES[device]:
        one, other = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
        out = torch.mm(one, other)
        for _ in range(_TRIES):
            _wait(device)
            began = time.perf_counter()
            torch.mm(one, other, out=out)
            _wait(device)
            best = max(best, 2 * size**3 / (time.perf_counter() - began))
    return best


def architecture_of(config: object) -> dict[str, int]:
    """The numbers that `training_flops` wants, of a model's configuration."""
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    return {name: int(getattr(config, name)) for name in (*names, "head_dim")}


def _wait(device: str) -> None:
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
