"""Documents, answers and servers of the tests of extraction."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from documents import SAMPLES
from extractions import Extraction
from llm_server import LlmServer


@pytest.fixture(autouse=True)
def _own_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_ANSWERS", str(tmp_path / "answers"))
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-test")


@pytest.fixture(params=["en"])
def lectures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A sample's lectures without the pairs that were drawn from them."""
    folder = tmp_path / "documents" / "transcript_data"
    folder.mkdir(parents=True)
    for path in sorted((SAMPLES[request.param] / "transcript_data").glob("*.txt")):
        shutil.copy(path, folder)
    return folder.parent


@pytest.fixture
def extract(tmp_path: Path, lectures: Path) -> Extraction:
    """Run the stage over the lectures."""
    return Extraction(tmp_path / "run", lectures)


@pytest.fixture
def server() -> Iterator[LlmServer]:
    """One that behaves."""
    with LlmServer() as server:
        yield server
