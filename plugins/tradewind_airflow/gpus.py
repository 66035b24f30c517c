"""Which GPUs this host has, where their locks are, and which of them a task may take now."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from docker.types import DeviceRequest

from tradewind.errors import UserError
from tradewind.lease import is_leased

INVENTORY_VARIABLE = "TRADEWIND_GPUS"
LEASE_VARIABLE = "TRADEWIND_LEASE_DIR"
POOL_VARIABLE = "TRADEWIND_GPU_POOL"
TASK_VARIABLE = "TRADEWIND_TASK_GPUS"


@dataclass(frozen=True)
class Gpu:
    """One GPU as leases, labels and the engine name it."""

    id: str
    """NVIDIA: index as `nvidia-smi` counts, or UUID. AMD: the render node, such as `renderD128`."""
    vendor: Literal["nvidia", "amd"] = "nvidia"


def inventory(root: Path = Path("/")) -> tuple[Gpu, ...]:
    """The host's GPUs: what `TRADEWIND_GPUS` lists, or what the kernel's drivers show below `root`.

    `TRADEWIND_GPUS` is `0,1,2,3`, `GPU-<uuid>,...`, `amd:renderD128,renderD129` or `none`.

    Raises:
        UserError: the variable lists a GPU twice or none at all.
    """
    stated = os.environ.get(INVENTORY_VARIABLE, "").strip()
    if not stated:
        return _discovered(root)
    if stated == "none":
        return ()
    vendor, _, listed = stated.rpartition(":")
    ids = [item.strip() for item in listed.split(",")]
    if "" in ids or len(set(ids)) < len(ids) or vendor not in ("", "amd"):
        raise UserError(
            f"{INVENTORY_VARIABLE}: '{stated}' does not list GPUs; write '0,1', 'amd:renderD128,renderD129' or 'none'"
        )
    return tuple(Gpu(item, "amd" if vendor else "nvidia") for item in ids)


def task_gpus() -> int:
    """How many GPUs each task with a model has for itself, as the deployment says; without a word none.

    Raises:
        UserError: `TRADEWIND_TASK_GPUS` is no such number.
    """
    stated = (os.environ.get(TASK_VARIABLE) or "0").strip()
    if not (stated.isascii() and stated.isdigit()):
        raise UserError(f"{TASK_VARIABLE}: '{stated}' is not how many GPUs a task has; write a number such as 1, or 0")
    return int(stated)


def gpu_pool(count: int) -> dict[str, Any]:
    """Airflow's `pool` and `pool_slots` of a task with so many GPUs, where `TRADEWIND_GPU_POOL` names one."""
    pool = os.environ.get(POOL_VARIABLE)
    # No more than there are: Airflow lets such a task wait for ever, and here it is to fail with a reason.
    return {"pool": pool, "pool_slots": min(count, len(inventory()) or count)} if count and pool else {}


def _discovered(root: Path) -> tuple[Gpu, ...]:
    # One folder a GPU, named by PCI address; NVML, and so nvidia-smi and the container runtime, count in that order.
    nvidia = root / "proc/driver/nvidia/gpus"
    if nvidia.is_dir():
        return tuple(Gpu(str(index)) for index in range(len(list(nvidia.iterdir()))))
    nodes = root / "sys/class/kfd/kfd/topology/nodes"
    minors = []
    for properties in sorted(nodes.glob("*/properties"), key=lambda path: int(path.parent.name)):
        values = dict(line.split() for line in properties.read_text(encoding="ascii").splitlines())
        if int(values.get("simd_count", 0)) > 0:  # 0: the CPU's own node
            minors.append(int(values["drm_render_minor"]))
    return tuple(Gpu(f"renderD{minor}", "amd") for minor in minors)


def lease_dir() -> Path:
    """The folder of the lock files, made where absent: one for all users and all workers of this host."""
    stated = os.environ.get(LEASE_VARIABLE)
    shared = Path("/run/lock") if Path("/run/lock").is_dir() else Path("/tmp")  # noqa: S108 - any user must reach it
    folder = Path(stated).expanduser() if stated else shared / "tradewind"
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(PermissionError):  # another user made it in this moment, and says so itself
            folder.chmod(0o777 | stat.S_ISVTX)
    return folder


def check_count(count: int, gpus: Sequence[Gpu]) -> None:
    """UserError where a task asks for more GPUs than the host has."""
    if count > len(gpus):
        have = f"has {len(gpus)} ({', '.join(gpu.id for gpu in gpus)})" if gpus else "has none"
        raise UserError(f"gpus={count}: this host {have}; ask for fewer, or list them in {INVENTORY_VARIABLE}")


def free_gpus(count: int, gpus: Sequence[Gpu], folder: Path) -> list[Gpu]:
    """`count` GPUs that nobody holds at this moment, or an empty list.

    Drawn at random, so that tasks that start together seldom want the same; the lock decides.
    """
    free = [gpu for gpu in gpus if not is_leased(folder, gpu.id)]
    if len(free) < count:
        return []
    return sorted(random.sample(free, count), key=gpus.index)


def process_environment(chosen: Sequence[Gpu], gpus: Sequence[Gpu]) -> dict[str, str]:
    """What lets a process on the host see its GPUs only; nothing chosen: no GPU."""
    if chosen and chosen[0].vendor == "amd":
        return {"HIP_VISIBLE_DEVICES": ",".join(str(gpus.index(gpu)) for gpu in chosen)}
    # CUDA's own order is by speed; nvidia-smi's, and so ours, is by PCI address.
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(gpu.id for gpu in chosen)} | (
        {} if chosen else {"HIP_VISIBLE_DEVICES": ""}
    )


def container_environment(chosen: Sequence[Gpu]) -> dict[str, str]:
    """Overrides what the image says: many images carry `NVIDIA_VISIBLE_DEVICES=all`."""
    nvidia = [gpu.id for gpu in chosen if gpu.vendor == "nvidia"]
    return {"NVIDIA_VISIBLE_DEVICES": ",".join(nvidia) or "void"}


def engine_request(chosen: Sequence[Gpu]) -> dict[str, Any]:
    """The part of a container's host configuration that gives it exactly these GPUs.

    NVIDIA: explicit ids, since a count gives every container the same first ones. AMD: the
    compute interface, shared by all, and each GPU's own render node, with their groups.
    """
    if not chosen:
        return {}
    if chosen[0].vendor == "nvidia":
        return {"device_requests": [DeviceRequest(device_ids=[gpu.id for gpu in chosen], capabilities=[["gpu"]])]}
    devices = ["/dev/kfd", *(f"/dev/dri/{gpu.id}" for gpu in chosen)]
    groups = {str(Path(device).stat().st_gid) for device in devices if Path(device).exists()}
    return {
        "devices": [f"{device}:{device}:rwm" for device in devices],
        "group_add": sorted(groups) or ["video"],  # Debian's; a name that the image lacks would be refused
    }
