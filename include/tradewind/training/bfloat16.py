"""Whether a device computes in bfloat16 by itself."""

from __future__ import annotations

import torch


def has_bfloat16(device: torch.device) -> bool:
    """Emulation, which is slower than float32, does not count."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - torch's own tests ask it so
