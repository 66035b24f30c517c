"""Whether torch, and with a GPU CUDA's libraries, load and compute."""

from __future__ import annotations

from tradewind.doctor.check import Finding, failure, not_needed, ok
from tradewind.doctor.child import told_by
from tradewind.doctor.subject import Subject

LIMIT = 120.0
"""Seconds: on a cold disk torch's libraries take a minute."""
_PROGRAM = """
import json, torch
told = {"torch": torch.__version__, "cuda": torch.version.cuda, "why": ""}
try:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    a = torch.ones(64, 64, device=device)
    b = torch.nn.functional.conv1d(a[None], torch.ones(1, 64, 3, device=device))  # cuBLAS, then cuDNN
    told["sum"] = float((a @ a).sum() + b.sum())
    told["device"] = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    if device == "cpu" and torch.version.cuda:
        torch.cuda.init()
except Exception as error:
    told["why"] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
print(json.dumps(told))
"""


def look_at_torch(subject: Subject) -> Finding:
    """In a process of its own: multiply and convolve on the GPU, or on the CPU where the recipe needs no more."""
    if subject.image:
        return not_needed(f"stages run in {subject.image}: docker run --rm --gpus all {subject.image} tradewind doctor")
    told = told_by(_PROGRAM, LIMIT)
    if not subject.wants_gpu():
        if "sum" not in told:
            return failure(f"torch {told['torch']}: {told['why']}", "install torch again: make clean, make run")
        return ok(f"torch {told['torch']} computes on {told['device']}")
    if told["cuda"] is None:
        return failure(
            f"torch {told['torch']} is a build for the CPU",
            "name the index of a CUDA build in pip.conf, then make clean: docs/gemma.md",
        )
    if told["why"] or told.get("device") in (None, "cpu"):
        return failure(
            f"torch {told['torch']} with CUDA {told['cuda']} cannot compute on a GPU: {told['why'] or 'it sees none'}",
            "see the check of the driver, and CUDA_VISIBLE_DEVICES; in a container: --gpus all",
        )
    return ok(f"torch {told['torch']}, CUDA {told['cuda']}: cuBLAS and cuDNN compute on {told['device']}")
