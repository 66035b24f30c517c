"""Which CUDA torch was built with, and which driver that wants."""

from __future__ import annotations

import runpy
from importlib.machinery import PathFinder
from pathlib import Path

LEAST_DRIVER = {"11": "450.80.02", "12": "525.60.13", "13": "580.65.06"}
"""NVIDIA's minor version compatibility: one driver for all of a major version. CUDA Compatibility, table 1."""


def torch_cuda() -> str | None:
    """Such as `13.0`; None where torch is not installed or is for the CPU. Its own `version.py` tells, in no time."""
    found = PathFinder.find_spec("torch")
    if found is None or found.origin is None:
        return None
    told = Path(found.origin).with_name("version.py")
    version = runpy.run_path(str(told)).get("cuda") if told.is_file() else None
    return str(version) if version else None


def least_driver(cuda: str) -> str | None:
    """The oldest driver for a version of CUDA; None where it is not known here."""
    return LEAST_DRIVER.get(cuda.partition(".")[0])
