"""Each engine's command and environment: what is started, without starting it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tradewind.config.serve import ServeConfig
from tradewind.errors import UserError
from tradewind.serving.hub_cache import lay_out
from tradewind.serving.target import Target

LOOPBACK = "127.0.0.1"
API_KEY = "VLLM_API_KEY"
"""vLLM's own variable: set, it refuses requests without this key."""
_NOT_FOR_ENGINES = (
    "AIRFLOW", "_AIRFLOW", "SLACK_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY",
    "AWS_", "GOOGLE_APPLICATION_CREDENTIALS",
)  # fmt: skip
_NIM_PORT = 8000
_CACHE_SHARE = "0.1"
"""Of the host's free memory, for the keys and values of all requests under way: it is the trainings' host, too."""
_SPINS = "20000"
"""How often a thread looks for work before it sleeps: some 20 microseconds. Trainings sleep at once, as two may share
the cores; a server's steps are so short that waking took a third of their time."""


@dataclass(frozen=True)
class Launch:
    """How an engine is started on a port of this host's loopback."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    """All of it."""
    health: str
    """The path that answers with 200 once the model is loaded."""
    cleanup: tuple[str, ...] = field(default=())
    """Run when the engine has ended: what would outlive its process."""


def launch(target: Target, config: ServeConfig, port: int, work: Path) -> Launch:
    """The configured engine's.

    Args:
        work: an empty folder that lives as long as the engine.

    Raises:
        UserError: the engine is not installed.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_FOR_ENGINES)}
    # Nothing is fetched for a model that is here, and nothing is told to its makers.
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "VLLM_NO_USAGE_STATS": "1"}
    return _LAUNCHES[config.engine](target, config, port, work, environment)


def _transformers(target: Target, config: ServeConfig, port: int, work: Path, environment: Mapping[str, str]) -> Launch:
    cache = lay_out(target.model, target.name, target.model_sha256[:40], work)
    command: tuple[str, ...] = (
        sys.executable, "-m", "transformers.cli.transformers", "serve", target.name,
        "--host", LOOPBACK, "--port", str(port), "--device", "cuda" if config.gpus else "cpu",
        "--dtype", target.smoke.dtype, "--attn-implementation", "eager",
    )  # fmt: skip
    if config.continuous_batching:
        command += ("--continuous-batching", *(() if config.gpus else ("--cb-max-memory-percent", _CACHE_SHARE)))
    # Named one by one: a cache of the user's own would win over HF_HOME.
    folders = {"HF_HOME": str(work), "HF_HUB_CACHE": str(cache), "CUDA_VISIBLE_DEVICES": ",".join(config.gpus)}
    return Launch(command, {"GOMP_SPINCOUNT": _SPINS, **environment, **folders}, "/health")


def _vllm(target: Target, config: ServeConfig, port: int, _work: Path, environment: Mapping[str, str]) -> Launch:
    program = shutil.which("vllm")
    if program is None:
        raise UserError(
            "vllm: not found; pip install vllm, into an environment of its own, and put its bin on PATH; or serve "
            "with --engine transformers"
        )
    command = [
        program, "serve", str(target.model), "--served-model-name", target.name, "--host", LOOPBACK,
        "--port", str(port), "--dtype", target.smoke.dtype, "--seed", "0",
    ]  # fmt: skip
    if len(config.gpus) > 1:
        command += ["--tensor-parallel-size", str(len(config.gpus))]
    chosen = {"CUDA_VISIBLE_DEVICES": ",".join(config.gpus)} if config.gpus else {}
    return Launch(tuple(command), {**environment, **chosen}, "/health")


def _nim(target: Target, config: ServeConfig, port: int, _work: Path, environment: Mapping[str, str]) -> Launch:
    docker = shutil.which("docker")
    if docker is None:
        raise UserError("docker: not found; NIM is a container: install Docker, or serve with another --engine")
    container = f"tradewind-serve-{target.name}-{port}"
    settings = {"NIM_MODEL_PATH": "/model", "NIM_SERVED_MODEL_NAME": target.name, "NIM_SERVER_PORT": str(_NIM_PORT)}
    if len(config.gpus) > 1:
        settings["NIM_TENSOR_PARALLEL_SIZE"] = str(len(config.gpus))
    gpus = f'"device={",".join(config.gpus)}"' if config.gpus else "all"
    command = [
        docker, "run", "--rm", "--name", container, "--gpus", gpus, "--shm-size", "16g",
        "--security-opt", "no-new-privileges", "--publish", f"{LOOPBACK}:{port}:{_NIM_PORT}",
        "--volume", f"{target.model}:/model:ro",
    ]  # fmt: skip
    for name, value in settings.items():
        command += ["--env", f"{name}={value}"]
    command += ["--env", "NGC_API_KEY"]  # without a value: docker passes on its own, which no list of processes shows
    return Launch((*command, str(config.image)), environment, "/v1/health/ready", (docker, "rm", "--force", container))


_LAUNCHES = {"transformers": _transformers, "vllm": _vllm, "nim": _nim}
