"""GPU, driver and memory, by what the driver's program tells."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from doctoring import Doctor
from hub_models import GEMMA_2_2B

FAILED = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
Install = Callable[[str], None]


@pytest.fixture
def large(tmp_path: Path) -> str:
    """A recipe with a model of 2.6 billion parameters, of which nothing but the size is there."""
    folder = tmp_path / "gemma"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(GEMMA_2_2B), encoding="utf-8")
    encoder = 'evaluate: {encoder: "embedded:all-MiniLM-L6-v2"}'
    return f"model: {{model_name_or_path: {folder}, dtype: bfloat16}}\n{encoder}\n"


@pytest.fixture
def cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A PYTHONPATH on which torch is one for CUDA 13 that does not work."""
    package = tmp_path / "path" / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from torch import version\n__version__ = '2.13.0'\n", encoding="utf-8")
    (package / "version.py").write_text("cuda = '13.0'\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(package.parent))
    return f"{package.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"


def _told(*gpus: str) -> str:
    return "\n".join(f"echo '{gpu}'" for gpu in gpus)


def test_without_a_driver_a_large_model_is_refused_and_its_wants_are_told(doctor: Doctor, large: str) -> None:
    told = doctor(large, "GPU", "driver", "GPU memory", "torch")
    assert told.outcome("GPU") == "failure"
    assert told.words("GPU").startswith("no NVIDIA driver: there is no nvidia-smi -> install NVIDIA's driver")
    assert told.outcome("driver") == "not needed here"
    assert "no GPU is seen; adapt wants 6." in told.words("GPU memory")
    assert told.outcome("torch") == "failure"


def test_a_driver_that_does_not_answer_is_told_in_its_own_words(
    doctor: Doctor, large: str, nvidia_smi: Install
) -> None:
    nvidia_smi(f'echo "{FAILED}"; exit 9')
    assert FAILED in doctor(large, "GPU").words("GPU")


def test_a_gpu_that_fits_is_shown_with_its_memory(doctor: Doctor, large: str, nvidia_smi: Install) -> None:
    nvidia_smi(_told("0, GPU-aa, NVIDIA L4, 580.95.05, 23034, 22565"))
    told = doctor(large, "GPU", "GPU memory")
    assert told.words("GPU").startswith("0: NVIDIA L4, 24.2 GB, driver 580.95.05")
    assert told.outcome("GPU memory") == "ok"


def test_a_gpu_that_is_too_small_or_taken_is_told_apart(doctor: Doctor, large: str, nvidia_smi: Install) -> None:
    nvidia_smi(_told("0, GPU-aa, NVIDIA T4, 580.95.05, 15360, 1000", "1, GPU-bb, Old, 580.95.05, 4000, 3900"))
    taken = doctor(large, "GPU", "GPU memory", TRADEWIND_GPUS="0")
    assert taken.outcome("GPU memory") == "warning"
    assert "GPU 0 has 1.0 GB of 16.1 GB free" in taken.words("GPU memory")
    small = doctor(large, "GPU", "GPU memory", TRADEWIND_GPUS="GPU-bb")
    assert small.outcome("GPU memory") == "failure"
    assert "GPU 1 has 4.2 GB; adapt wants" in small.words("GPU memory")
    none = doctor(large, "GPU", "GPU memory", TRADEWIND_GPUS="7")
    assert "'7' names none of the GPUs that nvidia-smi shows (0, 1)" in none.words("GPU")


def test_an_old_driver_and_a_cuda_that_cannot_compute_are_two_findings(
    doctor: Doctor, large: str, nvidia_smi: Install, cuda: str
) -> None:
    nvidia_smi(_told("0, GPU-aa, NVIDIA L4, 535.129.03, 23034, 22565"))
    told = doctor(large, "driver", "torch", PYTHONPATH=cuda)
    assert told.outcome("driver") == "failure"
    assert told.words("driver").startswith("535.129.03 is too old for CUDA 13.0, with which torch is built -> install")
    assert told.outcome("torch") == "failure"
    nvidia_smi(_told("0, GPU-aa, NVIDIA L4, 580.65.06, 23034, 22565"))
    assert doctor(large, "driver").outcome("driver") == "ok"


def test_memory_that_the_driver_does_not_tell_is_a_warning(doctor: Doctor, large: str, nvidia_smi: Install) -> None:
    nvidia_smi(_told("0, GPU-aa, NVIDIA GB10, 580.95.05, [N/A], [N/A]"))
    told = doctor(large, "GPU", "GPU memory")
    assert "memory not told" in told.words("GPU")
    assert told.outcome("GPU memory") == "warning"
