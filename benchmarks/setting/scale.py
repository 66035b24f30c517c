"""How large a benchmark is: the embedded model, a bench model for CPUs, and Gemma-2-2B's architecture for a GPU."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Scale:
    """A model and the work it is given."""

    name: str
    vocabulary: int
    """Words of the tokenizer; 0: the embedded model with its own."""
    architecture: Mapping[str, int]
    """Of `Gemma2Config`; what is not named is as transformers has it."""
    dtype: str
    rows: int
    """Examples trained on, once."""
    held_out: int
    length: float
    """Of a row, times the original's."""
    max_length: int
    learning_rate: float
    prompts: int
    """Questions of `generate.py`."""
    max_new_tokens: int
    rank: int = 256
    small_rank: int = 16

    @property
    def gpu(self) -> bool:
        """Whether it takes one."""
        return self.name == "gemma-2-2b"

    @property
    def suffix(self) -> str:
        """What its results' names end with."""
        return {"bench": "", "gemma-2-2b": "-gpu"}.get(self.name, f"-{self.name}")


_TINY = Scale(
    name="tiny", vocabulary=0, architecture={}, dtype="float32", rows=240, held_out=60, length=1.0, max_length=512,
    learning_rate=2e-3, prompts=96, max_new_tokens=64,
)  # fmt: skip
_BENCH = Scale(
    name="bench", vocabulary=32_000, dtype="float32", rows=48, held_out=32, length=0.6, max_length=512,
    learning_rate=2e-4, prompts=48, max_new_tokens=96,
    architecture={
        "hidden_size": 640, "intermediate_size": 2560, "num_hidden_layers": 10, "num_attention_heads": 8,
        "num_key_value_heads": 4, "head_dim": 64, "query_pre_attn_scalar": 64, "max_position_embeddings": 2048,
        "sliding_window": 1024,
    },
)  # fmt: skip
_GEMMA = Scale(
    name="gemma-2-2b", vocabulary=256_000, dtype="bfloat16", rows=1024, held_out=128, length=1.0, max_length=1024,
    learning_rate=2e-4, prompts=512, max_new_tokens=128,
    architecture={
        "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26, "num_attention_heads": 8,
        "num_key_value_heads": 4, "head_dim": 256, "query_pre_attn_scalar": 256, "max_position_embeddings": 8192,
        "sliding_window": 4096,
    },
)  # fmt: skip
# For tests, and to see in seconds whether a command works.
_TRIAL = Scale(
    name="trial", vocabulary=500, dtype="float32", rows=16, held_out=8, length=0.3, max_length=256,
    learning_rate=2e-3, prompts=8, max_new_tokens=8, rank=8, small_rank=4,
    architecture={
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "query_pre_attn_scalar": 16, "max_position_embeddings": 512,
        "sliding_window": 256,
    },
)  # fmt: skip
SCALES = {scale.name: scale for scale in (_TINY, _BENCH, _GEMMA, _TRIAL)}


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """`--model`, the same for every command."""
    parser.add_argument("--model", choices=SCALES, default="bench", help="gemma-2-2b: on a GPU; trial: seconds")


def chosen(name: str) -> Scale:
    """The scale; exits with one line where it takes a GPU and there is none."""
    scale = SCALES[name]
    if scale.gpu:
        need_gpu(f"--model {name}")
    return scale


def need_gpu(what: str) -> None:
    """Exit with 2 and one line where torch sees no GPU."""
    import torch

    if not torch.cuda.is_available():
        print(f"tradewind: no GPU that torch can use, which {what} needs; `make bench` runs on a CPU", file=sys.stderr)
        raise SystemExit(2)


def described(scale: Scale) -> dict[str, Any]:
    """What a result tells of it."""
    return {"model": f"{scale.name}, {scale.dtype}", "examples": f"{scale.rows}, once", "held out": str(scale.held_out)}
