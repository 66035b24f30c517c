"""Which folders a stage's container sees, and where they are for the engine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import NotFound
from docker.types import Mount

from tradewind.asking.store import ANSWERS_VARIABLE
from tradewind.errors import UserError
from tradewind.run_dir import RunDir
from tradewind.shard import WHOLE, Shard
from tradewind.stages import UPSTREAM, Stage
from tradewind.stages.champion import MODELS_VARIABLE
from tradewind_airflow.macros import home

if TYPE_CHECKING:
    from docker import APIClient

ROOTS_VARIABLE = "TRADEWIND_MOUNT_ROOTS"
CACHE_VARIABLE = "TRADEWIND_MODEL_CACHE"
PIPELINE = Path("/pipeline")
_TYPES = ("bind", "volume", "tmpfs")
_KEYS = {"Target", "Source", "Type", "ReadOnly", "Consistency", "BindOptions", "VolumeOptions", "TmpfsOptions"}
_VOLUME_KEYS = {"NoCopy", "Labels", "DriverConfig"}


class HostPaths:
    """The engine's names of this process's folders, which differ where the worker is a container itself."""

    def __init__(self, own_mounts: Sequence[Mapping[str, Any]] | None) -> None:
        """Take the `Mounts` of the worker's own container as the engine inspects it; None: not in a container."""
        self._own = own_mounts

    @classmethod
    def of_this_process(cls, cli: APIClient, mountinfo: Path = Path("/proc/self/mountinfo")) -> HostPaths:
        """Ask the engine about the container that this process is in, if it is in one."""
        # The engine mounts a file of its own at /etc/hostname, from a folder named by the container's id.
        found = re.search(r"/([0-9a-f]{64})/hostname /etc/hostname ", mountinfo.read_text(encoding="utf-8"))
        try:
            return cls(cli.inspect_container(found[1])["Mounts"] if found else None)
        except NotFound:
            raise UserError(
                "DOCKER_HOST: that engine does not run this worker's own container; it must be the same"
            ) from None

    def on_host(self, path: Path) -> str:
        """The path for the engine; UserError where the host does not have this folder of the worker's."""
        if self._own is None:
            return str(path)
        for mount in sorted(self._own, key=lambda mount: len(mount["Destination"]), reverse=True):
            if path.is_relative_to(mount["Destination"]):
                if not mount["Source"]:  # a tmpfs
                    break
                return str(Path(mount["Source"]) / path.relative_to(mount["Destination"]))
        raise UserError(f"{path}: stands inside the worker's own container; mount a folder of the host there")


def allowed_roots() -> list[Path]:
    """The only folders below which a container may be given something; that of the runs is always one."""
    stated = os.environ.get(ROOTS_VARIABLE, "")
    return [*(Path(root).expanduser().resolve() for root in stated.split(os.pathsep) if root), home().resolve()]


def check_allowed(path: Path, roots: Sequence[Path]) -> Path:
    """The path with every link followed; UserError where that is outside of `roots`."""
    resolved = path.resolve()
    if not any(resolved.is_relative_to(root) for root in roots):
        listed = os.pathsep.join(map(str, roots))
        raise UserError(f"{path}: may not be mounted into a container; allowed are folders below {listed} "
                        f"({ROOTS_VARIABLE})")  # fmt: skip
    return resolved


def stage_mounts(
    stage: Stage,
    run_dir: RunDir,
    read_only: Iterable[Path],
    leases: Path | None,
    host: HostPaths,
    *,
    shard: Shard = WHOLE,
) -> list[Mount]:
    """The run's folder under the worker's own name for it, and the names that every task of a pipeline knows.

    `/pipeline/input1` ... are, for `extract` and `prepare`, the documents, else the published folders of the stages
    before; `/pipeline/outputs` is the folder that the stage fills.

    Args:
        read_only: other folders that the configuration names, the documents first.
        leases: the folder of the GPUs' locks, for a task that has GPUs.
    """
    roots = allowed_roots()
    named = list(dict.fromkeys(check_allowed(path, roots) for path in read_only))
    for path in named:
        if not path.is_dir():
            raise UserError(f"{path}: no such folder; check the data and the models that the recipe names")
    work = run_dir.work(shard.folder(stage))
    for path in (run_dir.path, work, *(run_dir.published(name) for name in UPSTREAM[stage])):
        check_allowed(path, roots)  # a stage's container may have left a link there, and the engine follows it
    work.mkdir(parents=True, exist_ok=True)  # the engine refuses to mount what is not there
    published = [run_dir.published(name) for name in UPSTREAM[stage] if run_dir.published(name).is_dir()]
    inputs = named[:1] if stage in ("extract", "prepare") else published
    binds = [(run_dir.path, run_dir.path, False), (work, PIPELINE / "outputs", False)]
    binds += [(path, PIPELINE / f"input{number}", True) for number, path in enumerate(inputs, 1)]
    binds += [(path, path, True) for path in named]
    if leases is not None:
        binds.append((leases, leases, False))
    shared = [*cache_environment(model_cache()).values(), *answers_environment(stage).values()]
    binds += [(Path(folder), Path(folder), False) for folder in shared]
    return [Mount(str(target), host.on_host(path), "bind", read_only=ro) for path, target, ro in binds]


def extra_mounts(mounts: Iterable[Mapping[str, Any]], host: HostPaths) -> list[Mapping[str, Any]]:
    """A DAG's own mounts, checked: binds stand below the allowed roots, volumes bring no driver options."""
    roots = allowed_roots()
    checked: list[Mapping[str, Any]] = []
    for mount in mounts:
        _check_form(mount)
        if mount["Type"] == "bind":
            path = Path(mount["Source"])
            if not path.is_absolute():
                raise UserError(f"{path}: a mount needs an absolute path")
            if not path.exists():
                raise UserError(f"{path}: cannot be mounted: no such file or folder")
            checked.append({**mount, "Source": host.on_host(check_allowed(path, roots))})
        else:
            checked.append(mount)
    return checked


def _check_form(mount: Mapping[str, Any]) -> None:
    """UserError for a key that we do not know: the engine ignores the case of keys and takes the last of two."""
    options = mount.get("VolumeOptions") or {}
    if options.get("DriverConfig"):
        # With the local driver's options a volume is any folder of the host under another name.
        raise UserError(f"{mount.get('Source')}: a volume with driver options may not be mounted; create it beforehand")
    unknown = [str(key) for key in [*set(mount) - _KEYS, *set(options) - _VOLUME_KEYS]]
    if unknown or mount.get("Type") not in _TYPES or "Target" not in mount:
        what = f"unknown key '{unknown[0]}'" if unknown else "needs a Target and a Type: bind, volume or tmpfs"
        raise UserError(f"mounts: {mount.get('Target')}: {what}; use docker.types.Mount")


def cache_environment(cache: Path | None) -> dict[str, str]:
    """What makes a stage keep downloaded models in `model_cache`'s folder."""
    return {} if cache is None else {"HF_HOME": str(cache)}


def answers_environment(stage: Stage) -> dict[str, str]:
    """What makes stages that have a model answer keep its answers where every run finds them; made where absent."""
    if stage not in ("extract", "baseline", "evaluate"):
        return {}
    folder = Path(os.environ.get(ANSWERS_VARIABLE) or home() / "answers").expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return {ANSWERS_VARIABLE: str(folder)}


def models_environment(stage: Stage, models: Path) -> dict[str, str]:
    """What makes `evaluate` compare with the champion in `models`; nothing where no model was ever registered."""
    return {MODELS_VARIABLE: str(models.resolve())} if stage == "evaluate" and models.is_dir() else {}


def model_cache() -> Path | None:
    """The folder that holds downloaded models for all runs, made where absent; None: each container has its own."""
    stated = os.environ.get(CACHE_VARIABLE)
    if not stated:
        return None
    folder = Path(stated).expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
