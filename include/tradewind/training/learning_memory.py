"""What a training needs beside weights and activations: a gradient and the optimizer's state for all that learns."""

from __future__ import annotations

import logging

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from tradewind.config import TrainingConfig
from tradewind.errors import UserError
from tradewind.training.memory import free_bytes

log = logging.getLogger("tradewind")
_MOMENTS = 2


def learning_bytes(model: PreTrainedModel | PeftModel, config: TrainingConfig) -> int:
    """Gradients, and with Adam its two moments, each as wide as its weight; of other optimizers the gradients alone."""
    learning: int = sum(one.numel() * one.element_size() for one in model.parameters() if one.requires_grad)
    is_adam = config.optim == "auto" or config.optim in ("adamw_torch", "adamw_torch_fused")
    return learning * (1 + (_MOMENTS if is_adam else 0))


def check_fits(name: str, model: PreTrainedModel | PeftModel, config: TrainingConfig, *, processes: int = 1) -> None:
    """Fail before the first step where it cannot be kept; with every weight it is three times the model.

    Args:
        processes: that train together, each with a model of its own.

    Raises:
        UserError: how much there is and how much is wanted.
    """
    alone = 1 if model.device.type == "cuda" else processes  # which share a machine's memory
    need, free = learning_bytes(model, config), free_bytes(model.device) // alone
    learning = [one for one in model.parameters() if one.requires_grad]
    if need > free:
        to_do = f"lower {name}.lora.r" if config.lora else f"set {name}.lora, which trains a small part of them"
        count = sum(one.numel() for one in learning)
        raise UserError(
            f"{name}: gradients and the optimizer's state of {count / 1e6:.1f} million trained parameters take "
            f"{need / 1e9:.3g} GB beside the weights, and {free / 1e9:.3g} GB are free; {to_do}, "
            "or take a smaller model or more memory"
        )
    if config.lora is None and any(one.dtype != torch.float32 for one in learning):
        log.warning(
            "%s: every weight is trained in %s, which rounds small steps away; set model.dtype to float32",
            name, str(learning[0].dtype).removeprefix("torch."),
        )  # fmt: skip
