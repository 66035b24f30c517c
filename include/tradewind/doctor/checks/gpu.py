"""NVIDIA's GPUs, their driver and their memory, as the driver's own `nvidia-smi` tells; torch is not imported."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tradewind.doctor.check import Finding, failure, not_needed, ok, warning
from tradewind.doctor.cuda_version import least_driver, torch_cuda
from tradewind.doctor.subject import Subject
from tradewind.errors import UserError
from tradewind.models.needs import memory_need

_FIELDS = ("index", "uuid", "name", "driver_version", "memory.total", "memory.free")
_LIMIT = 15.0  # the first call after a boot wakes the driver up
_NO_DRIVER = "install NVIDIA's driver until nvidia-smi shows the GPU, or take a recipe for a CPU such as tiny"
_AMD = Path("/sys/class/kfd")


@dataclass(frozen=True)
class Gpu:
    """One GPU; bytes, or None where the driver does not tell."""

    index: str
    uuid: str
    name: str
    driver: str
    total: int | None
    free: int | None


class NoGpuError(UserError):
    """No GPU is seen, or none of those that are named."""


def gpus() -> list[Gpu]:
    """Those that `TRADEWIND_GPUS`, or without it `CUDA_VISIBLE_DEVICES`, lets a stage see.

    Raises:
        NoGpuError: there is none, and why.
    """
    if os.environ.get("TRADEWIND_GPUS", "").strip() == "none":
        raise NoGpuError("TRADEWIND_GPUS is none; unset it, or list the GPUs")
    command = ["nvidia-smi", f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
    except FileNotFoundError:
        seen = "an AMD GPU, which is not examined here" if _AMD.exists() else "no NVIDIA driver: there is no nvidia-smi"
        raise NoGpuError(f"{seen}; {_NO_DRIVER}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoGpuError(f"nvidia-smi: {type(error).__name__}; restart the driver or the machine") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise NoGpuError(f"nvidia-smi: {said[0].replace('; ', ', ') if said else done.returncode}; {_NO_DRIVER}")
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.strip()]
    found = [_gpu(row) for row in rows if len(row) == len(_FIELDS)]
    if not found:
        raise NoGpuError(f"nvidia-smi shows no GPU; {_NO_DRIVER}")
    return _visible(found)


def look_at_gpu(subject: Subject) -> Finding:
    """Whether there is one for a recipe that wants one."""
    wanted = subject.wants_gpu()
    try:
        found = gpus()
    except NoGpuError:
        if not wanted:
            return not_needed("no GPU is seen; the recipe's model trains on a CPU")
        raise
    return ok("; ".join(f"{gpu.index}: {gpu.name}, {_size(gpu.total)}, driver {gpu.driver}" for gpu in found))


def look_at_driver(subject: Subject) -> Finding:
    """Whether it is new enough for the CUDA that torch was built with."""
    try:
        driver = gpus()[0].driver
    except NoGpuError:
        return not_needed("no GPU is seen")
    cuda = None if subject.image else torch_cuda()
    if cuda is None:
        return ok(f"{driver}; {'the image has a torch of its own' if subject.image else 'torch has no CUDA'}")
    least = least_driver(cuda)
    if least is None:
        return warning(f"{driver}; torch is built with CUDA {cuda}", "compare the two in NVIDIA's release notes")
    if _numbers(driver) < _numbers(least):
        return failure(
            f"{driver} is too old for CUDA {cuda}, with which torch is built",
            f"install driver {least} or newer, or a torch for an older CUDA",
        )
    return ok(f"{driver}, torch's CUDA {cuda} wants {least}")


def look_at_memory(subject: Subject) -> Finding:
    """Free memory of the GPU that has the most, against what the recipe's model wants at least."""
    if not subject.wants_gpu():
        return not_needed("the recipe's model trains on a CPU")
    try:
        need = memory_need(subject.shape(), subject.config)
    except UserError as error:
        return warning(str(error), "see the check of the model")
    wanted = f"{need.what} wants {_size(need.bytes)} at least, by arithmetic"
    try:
        best = max(gpus(), key=lambda gpu: (gpu.free or 0, gpu.total or 0))
    except NoGpuError:
        return not_needed(f"no GPU is seen; {wanted}")
    return _memory(best, need.bytes, wanted)


def _memory(gpu: Gpu, need: int, wanted: str) -> Finding:
    if gpu.total is None or gpu.free is None:
        return warning(f"the driver does not tell; {wanted}", "compare with what the GPU's maker says")
    if gpu.total < need:
        return failure(
            f"GPU {gpu.index} has {_size(gpu.total)}; {wanted}",
            "take a larger GPU, a smaller model, lora with a smaller r, or a smaller max_length",
        )
    told = f"GPU {gpu.index} has {_size(gpu.free)} of {_size(gpu.total)} free; {wanted}"
    return warning(told, "end what else uses it: nvidia-smi names the processes") if gpu.free < need else ok(told)


def _gpu(row: list[str]) -> Gpu:
    index, uuid, name, driver, total, free = row
    return Gpu(index, uuid, name, driver, _bytes(total), _bytes(free))


def _bytes(mebibytes: str) -> int | None:
    return int(mebibytes) * 2**20 if mebibytes.isdigit() else None


def _visible(found: list[Gpu]) -> list[Gpu]:
    stated = (os.environ.get("TRADEWIND_GPUS") or os.environ.get("CUDA_VISIBLE_DEVICES") or "").strip()
    if not stated or stated.startswith("amd:"):
        return found
    names = [name.strip() for name in stated.split(",")]
    seen = [gpu for gpu in found if gpu.index in names or any(name and gpu.uuid.startswith(name) for name in names)]
    if not seen:
        there = ", ".join(gpu.index for gpu in found)
        raise NoGpuError(f"'{stated}' names none of the GPUs that nvidia-smi shows ({there}); correct TRADEWIND_GPUS")
    return seen


def _size(count: int | None) -> str:
    return "memory not told" if count is None else f"{count / 1e9:.1f} GB"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
