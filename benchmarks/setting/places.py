"""Where benchmarks keep what they make: large things in a cache outside of the checkout, figures inside."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
RESULTS = PROJECT / "benchmarks" / "results"
PAGE = PROJECT / "docs" / "performance.md"


def cache(name: str) -> Path:
    """A folder below `$TRADEWIND_BENCHMARKS`, or `~/.cache/tradewind-benchmarks`; it may not exist yet."""
    named = os.environ.get("TRADEWIND_BENCHMARKS")
    return (Path(named) if named else Path.home() / ".cache" / "tradewind-benchmarks") / name


def environment() -> dict[str, str]:
    """This process's variables, such that a child imports this checkout's packages and asks no network."""
    folders = [PROJECT / name for name in ("include", "plugins", "dags", "benchmarks")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
