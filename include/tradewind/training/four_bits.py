"""QLoRA (Dettmers et al., arXiv 2305.14314): frozen weights in bitsandbytes' 4 bits below adapters in float32."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel

from tradewind.config import QuantizationSettings
from tradewind.errors import UserError
from tradewind.training.bfloat16 import has_bfloat16

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import BitsAndBytesConfig

_WITHOUT = "or leave quantization_config out of the recipe"


def is_in_four_bits(model: PreTrainedModel | PeftModel) -> bool:
    """Whether the model was loaded so."""
    from tradewind.training.backbone import causal_model  # and peft, which a stage that only answers does without

    return bool(getattr(causal_model(model), "is_loaded_in_4bit", False))


def four_bits(settings: QuantizationSettings, device: torch.device) -> BitsAndBytesConfig:
    """What transformers loads a model by.

    Raises:
        UserError: bitsandbytes is not installed, or cannot compute so on this device.
    """
    check_support(device.type, settings.bnb_4bit_quant_type)
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=settings.bnb_4bit_quant_type,
        bnb_4bit_use_double_quant=settings.bnb_4bit_use_double_quant,
        bnb_4bit_compute_dtype=compute_dtype(settings, device),
    )


def keep_differentiable(model: PreTrainedModel) -> None:
    """Have no layer pack its weights anew when it is first asked outside of training.

    bitsandbytes 0.50 does so on CPUs with AVX512-BF16, leaves them packed when training begins, and has no gradient
    through packed ones: what lies below such a layer would silently learn from a part of its gradient.
    """
    import bitsandbytes as bnb

    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False


def compute_dtype(settings: QuantizationSettings, device: torch.device) -> torch.dtype:
    """What 4-bit weights are made of again for each product; `auto` is never float16, in which Gemma-2 overflows."""
    if settings.bnb_4bit_compute_dtype != "auto":
        found: torch.dtype = getattr(torch, settings.bnb_4bit_compute_dtype)
        return found
    return torch.bfloat16 if has_bfloat16(device) else torch.float32


@cache
def check_support(device: str, quant_type: str) -> None:
    """Quantise a little and compute with it, there and back.

    Raises:
        UserError: that does not work, and what to install.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(
            f"quantization_config: bitsandbytes is not installed; pip install 'tradewind[qlora]', {_WITHOUT}"
        )
    try:
        import bitsandbytes as bnb

        layer = bnb.nn.Linear4bit(64, 64, bias=False, compute_dtype=torch.float32, quant_type=quant_type).to(device)
        x = torch.ones(2, 64, device=device, requires_grad=True)
        layer(x).sum().backward()
        works = x.grad is not None and bool(torch.isfinite(x.grad).all())
        why = "" if works else "its gradients are not finite"
    except Exception as error:  # noqa: BLE001 - a broken library may raise anything
        why = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    if why:
        raise UserError(
            f"quantization_config: bitsandbytes cannot compute in 4 bits on this {device} ({why}); "
            f"install bitsandbytes 0.50 or newer for it, {_WITHOUT}"
        )
