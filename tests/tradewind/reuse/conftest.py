"""A DAG's runs, one night after the other."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from documents import write_files
from quick_run import QuickRun

Nights = Callable[..., QuickRun]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A folder with one of each kind of document."""
    return write_files(
        tmp_path / "documents",
        {
            "term_data/a.json": [{"term": "FOB", "description": "Free on board."}],
            "exam_data/e.json": {"fixed_text": "Question: What is FOB? Answer: A term."},
            "transcript_data/l.txt": "The buyer pays the freight.",
        },
    )


@pytest.fixture
def night(tmp_path: Path, documents: Path) -> Nights:
    """A new run of the DAG; keyword arguments are those of QuickRun."""
    numbers = count(1)

    def run(**settings: Any) -> QuickRun:
        settings.setdefault("data", documents)
        return QuickRun(tmp_path / "home" / "runs" / "dag" / f"night-{next(numbers)}", **settings)

    return run
