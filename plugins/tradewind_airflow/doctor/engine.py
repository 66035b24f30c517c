"""The Docker engine: whether it answers this user, can give GPUs to a container, and has the image."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import tradewind
from tradewind.doctor.check import Finding, failure, not_needed, ok, warning
from tradewind.doctor.subject import Subject
from tradewind.errors import UserError
from tradewind_airflow.gpus import task_gpus

if TYPE_CHECKING:
    from docker import APIClient

_LIMIT = 10
_LEAST_API = (1, 41)
_HOOK = "nvidia-container-runtime-hook"
_TOOLKIT = "install nvidia-container-toolkit, then nvidia-ctk runtime configure --runtime=docker and restart the engine"
_SUBPROCESSES = "TRADEWIND_IMAGE is not set: stages run in subprocesses"
_VERSION_LABEL = "org.opencontainers.image.version"


def look_at_engine(subject: Subject) -> Finding:
    """It answers, and is new enough."""
    if not subject.image:
        return not_needed(_SUBPROCESSES)
    with _client() as client:
        version = client.version()
    api = str(version.get("ApiVersion", "0"))
    if tuple(int(part) for part in api.split(".")) < _LEAST_API:
        return failure(f"{version.get('Version')} speaks API {api}", "install Docker Engine 20.10 or newer")
    return ok(f"{version.get('Version')}, API {api}, at {_address()}")


def look_at_gpus(subject: Subject) -> Finding:
    """It knows NVIDIA's runtime, by its settings, by CDI, or by the hook that it finds on its PATH."""
    if not subject.image:
        return not_needed(_SUBPROCESSES)
    if not (subject.wants_gpu() or task_gpus()):
        return not_needed("no task takes a GPU")
    with _client() as client:
        info: dict[str, Any] = client.info()
    if "nvidia" in (info.get("Runtimes") or {}):
        return ok("the engine has NVIDIA's runtime")
    devices = [device for device in info.get("DiscoveredDevices") or () if "nvidia.com" in str(device.get("ID"))]
    if devices:
        return ok(f"the engine finds {len(devices)} devices of NVIDIA's by CDI")
    if shutil.which(_HOOK):
        return ok(f"{_HOOK} is on the PATH; an engine that was started with the same one uses it")
    return failure("the engine knows no runtime for NVIDIA's GPUs", _TOOLKIT)


def look_at_image(subject: Subject) -> Finding:
    """The image is on this host, and of this version."""
    if not subject.image:
        return not_needed(_SUBPROCESSES)
    from docker.errors import ImageNotFound

    with _client() as client:
        try:
            found = client.inspect_image(subject.image)
        except ImageNotFound:
            if "/" in subject.image:
                return warning(f"{subject.image} is not on this host: the first task pulls it", "docker pull it now")
            return failure(f"{subject.image} is not on this host", "make images, or docker pull it")
    version = (found["Config"].get("Labels") or {}).get(_VERSION_LABEL)
    if version and version != tradewind.__version__:
        return warning(
            f"{subject.image} holds tradewind {version}, this is {tradewind.__version__}", "build or pull the same"
        )
    return ok(f"{subject.image}, {found.get('Size', 0) / 1e9:.1f} GB")


def _address() -> str:
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


@contextmanager
def _client() -> Iterator[APIClient]:
    """A connection to the engine.

    Raises:
        UserError: it does not answer, or not this user.
    """
    try:
        from docker import APIClient
        from docker.errors import APIError, DockerException
        from docker.utils import kwargs_from_env
    except ImportError:
        raise UserError("Docker's client is not installed; pip install 'tradewind[airflow]'") from None
    try:
        with APIClient(**kwargs_from_env(), version="auto", timeout=_LIMIT) as client:
            yield client
    except APIError as error:
        raise UserError(f"the engine refuses: {error.explanation or error}; see its log") from error
    except (DockerException, OSError) as error:
        raise UserError(_why(error)) from error


def _why(error: BaseException) -> str:
    where, text = _address(), str(error)
    if "Permission denied" in text:
        return f"this user may not use {where}; add it to the group docker, and log in again"
    if "No such file" in text or "refused" in text:
        return f"no engine answers at {where}; start it (systemctl start docker), or set DOCKER_HOST"
    return f"the engine at {where} does not answer ({type(error).__name__}); see its log"
