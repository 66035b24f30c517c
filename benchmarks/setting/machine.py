"""What a figure was measured on: processor, memory, GPU, versions and commit; nothing that names the host."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from setting.places import PROJECT

_PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "sentence-transformers", "apache-airflow")
# The ones that decide how fast a matrix product is.
_FEATURES = (
    "avx2",
    "avx512f",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_bf16",
    "amx_fp16",
    "asimd",
    "bf16",
    "sve",
)


def machine() -> dict[str, str]:
    """Processor, cores, memory, features, the GPU if there is one, and how busy the machine was."""
    facts = _processor_facts()
    known = set(facts.get("flags", facts.get("Features", "")).split())
    found = {
        "processor": facts.get("model name", platform.machine()),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "features": ", ".join(name for name in _FEATURES if name in known),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }
    return found | _gpu()


def versions() -> dict[str, str]:
    """Python's and the libraries' that are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The checkout's, with `-dirty` where code differs from it; results themselves do not count."""
    head = _git("rev-parse", "--short=10", "HEAD")
    if head is None:
        return "unknown"
    written = (":!benchmarks/results", ":!docs/performance.md")
    return head + ("-dirty" if _git("status", "--porcelain", "--untracked-files=no", "--", ".", *written) else "")


def _processor_facts() -> dict[str, str]:
    """The first processor's lines of `/proc/cpuinfo`; nothing on a system without."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _gpu() -> dict[str, str]:
    """Not by torch: a child's peak memory begins with what this process holds."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"gpu": ", driver ".join(found[0].rsplit(", ", 1))} if found else {}


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
