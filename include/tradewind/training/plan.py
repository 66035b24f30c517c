"""What a training computes with, chosen before its first step and kept for when it is resumed."""

from __future__ import annotations

import json
import logging
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from tradewind.config import TrainingConfig
from tradewind.division import share_of_step
from tradewind.files import write_atomically
from tradewind.training.backbone import causal_model
from tradewind.training.four_bits import is_in_four_bits
from tradewind.training.frozen_weights import can_be_narrow
from tradewind.training.micro_batch import choose_micro_batch
from tradewind.training.precision import choose_bfloat16, training_flops

log = logging.getLogger("tradewind")
WORTH_COMPILING = {"cuda": 1e17, "cpu": 1e15}
"""Floating-point operations of a training below which compiling, minutes of it, is not won back: an hour of two cores.
There it brought 1.3 times the speed to 80 M parameters in bfloat16, and took a minute."""
COMPILERS = {"cuda": ("cc", "gcc", "clang"), "cpu": ("c++", "g++", "clang++")}
"""What Triton wants, and what torch's own C++ wants."""


@dataclass(frozen=True)
class Plan:
    """The settings that a recipe may leave to `auto`, resolved."""

    micro_batch_size: int
    """Examples, or with packing packed rows, that are computed at once."""
    gradient_accumulation_steps: int
    packing: bool
    """Whether rows are filled with examples up to `max_length`; a step then counts rows."""
    padding_free: bool
    """Whether the examples computed at once stand in one row, none of it padding."""
    row_attention: bool
    """Whether examples that share a row are kept apart by `row_attention`, else by the model's own attention."""
    gradient_checkpointing: bool
    bf16: bool
    torch_compile: bool
    optim: str
    narrows_frozen_weights: bool
    """Whether frozen weights are narrow meanwhile, as with LoRA in bfloat16 on a CPU."""
    answer_loss: bool
    """Whether logits are computed by `AnswerCrossEntropy`, else by TRL's head."""
    processes: int = 1
    """That share a step's examples evenly."""
    sharded: bool = False
    """Whether the weights are shared out among them as well (FSDP), as they do not fit one GPU."""


def plan_training(
    name: str,
    model: PreTrainedModel | PeftModel,
    rows: Sequence[dict[str, list[int]]],
    config: TrainingConfig,
    kept: Path,
    *,
    processes: int = 1,
    sharded: bool = False,
    device: torch.device | None = None,
) -> Plan:
    """Choose, tell the log what and why, and keep it in the file `kept`; what is kept there already is taken over.

    A training that is resumed must compute as it began; only how its steps' examples are divided may change, where it
    goes on in another number of processes. What was kept of one whose weights were not shared out, or the other way
    round, says nothing.

    Args:
        name: the stage's, for the log.
        rows: `input_ids` of the training.
        processes: that share a step's examples evenly.
        sharded: see `Plan`.
        device: that is to compute, where the model goes there later; None: the model's.

    Raises:
        UserError: the processes do not divide the examples of a step, or `micro_batch_size` does not.
    """
    before = Plan(**json.loads(kept.read_text(encoding="utf-8"))) if kept.exists() else None
    if before is not None and before.sharded != sharded:
        before = None
    if before is not None and before.processes == processes:
        return before
    device = device or model.device
    lengths = sorted(len(row["input_ids"]) for row in rows)
    flops = training_flops(model, math.ceil(sum(lengths) * config.num_train_epochs))
    row, why_row = _choose_row(model, config, device)
    longest = config.max_length if row == "packed" else lengths[-1]
    micro = choose_micro_batch(model, longest, config, processes, sharded=sharded)
    share = share_of_step(config, processes)
    log.info("%s: %d of a step's %d examples at once%s: %s", name, micro.size, share * processes,
             "" if processes == 1 else f" in each of {processes} processes", micro.why)  # fmt: skip
    divided: dict[str, Any] = {
        "micro_batch_size": micro.size, "gradient_accumulation_steps": share // micro.size,
        "gradient_checkpointing": micro.gradient_checkpointing, "processes": processes, "sharded": sharded,
    }  # fmt: skip
    if before is not None:
        return _keep(replace(before, **divided), kept)
    bf16, why_bf16 = choose_bfloat16(model, lengths[len(lengths) // 2], micro.size, flops, config, device=device)
    compiling, why_compiling = _choose_compiling(model, flops, config, device)
    plan = Plan(
        **divided,
        packing=row == "packed",
        padding_free=row == "without padding",
        row_attention=row != "padded" and _takes_row_attention(model, device),
        bf16=bf16,
        torch_compile=compiling,
        optim="adamw_torch_fused" if config.optim == "auto" else config.optim,
        narrows_frozen_weights=bf16 and not sharded and can_be_narrow(model),  # shared out, they arrive narrow
        # By TRL's own head the processes talk to each other at each batch: none could compute smaller ones.
        answer_loss=config.loss_type == "auto" and not sharded and (device.type == "cpu" or processes > 1),
    )
    log.info("%s: %s: %s", name, "bfloat16" if bf16 else "float32", why_bf16)
    log.info("%s: rows %s: %s", name, row, why_row)
    log.info("%s: %s: %s", name, "compiled" if compiling else "not compiled", why_compiling)
    return _keep(plan, kept)


def _keep(plan: Plan, kept: Path) -> Plan:
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(kept, json.dumps(asdict(plan), indent=1))
    return plan


def _choose_row(model: PreTrainedModel, config: TrainingConfig, device: torch.device) -> tuple[str, str]:
    if config.packing is True:
        return "packed", "the recipe says so"
    if config.packing is False:
        return "padded", "the recipe says so"
    if model.config._attn_implementation == "flash_attention_2":  # noqa: SLF001 - where transformers keeps it
        return "without padding", "FlashAttention keeps examples in one row apart, and a step's examples stay the same"
    if _takes_row_attention(model, device):
        return "without padding", "on a CPU the attention of examples of like length is a product of its own"
    return "padded", "the model's attention would compute scores between examples, and drop them"


def _takes_row_attention(model: PreTrainedModel | PeftModel, device: torch.device) -> bool:
    inner = causal_model(model)
    return bool(
        device.type == "cpu"
        and inner.config._attn_implementation == "eager"  # noqa: SLF001 - another one is a recipe's wish
        and inner._can_set_attn_implementation()  # noqa: SLF001 - there is no public way to ask
    )


def _choose_compiling(
    model: PreTrainedModel, flops: float, config: TrainingConfig, device: torch.device
) -> tuple[bool, str]:
    if config.torch_compile != "auto":
        return config.torch_compile, "the recipe says so"
    if is_in_four_bits(model):
        return False, "layers of 4-bit weights are bitsandbytes' own"
    compilers = COMPILERS[device.type]
    if not any(shutil.which(compiler) for compiler in compilers):
        return False, f"there is no compiler ({', '.join(compilers)})"
    if flops < WORTH_COMPILING[device.type]:
        return False, "the training is too short"
    return True, "the training is long enough to win the minutes back"
