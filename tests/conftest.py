"""Fixtures of every test: folders of documents, and the command line in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import airflow_home
from collected import read_documents
from documents import OTHERS_SHAPE, REPOSITORY, SAMPLES, Cli, WriteDocuments, run_cli, write_files
from splitting import Sample
from together import COSTLY, TogetherScheduling, together
from tradewind.config import DataConfig
from tradewind.recipes import resolve
from tradewind.stages.prepare import prepare

pytest_plugins = ("container_fixtures", "shared_home")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first, so that a fault shows early."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
    for item in items:
        for costly in COSTLY.keys() & set(getattr(item, "fixturenames", ())):
            assert together(item.location[0]) == costly, f"{item.nodeid}: name its file in tests/together.py"


def pytest_unconfigure() -> None:
    """Leave nothing in the temporary folder."""
    airflow_home.remove()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TogetherScheduling:
    """Where several processes run the tests."""
    return TogetherScheduling(config, log)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def korean_samples() -> Path:
    """The smaller set of sample documents."""
    return SAMPLES["ko"]


@pytest.fixture
def write_documents(tmp_path: Path) -> WriteDocuments:
    """Write files into a folder of documents: text and bytes as they are, other values as JSON."""
    return lambda files: write_files(tmp_path / "documents", files)


@pytest.fixture
def others_glossary(tmp_path: Path) -> Path:
    """The CNCF glossary where it is at hand, else a few entries of the same shape."""
    real = REPOSITORY.parent / "shared" / "data" / "cncf-glossary"
    return real if real.is_dir() else write_files(tmp_path / "others", OTHERS_SHAPE)


@pytest.fixture(scope="session", params=sorted(SAMPLES))
def prepared_sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Each set of sample documents, read and without near-duplicates."""
    folder = SAMPLES[request.param]
    work = tmp_path_factory.mktemp("prepared")
    return Sample(read_documents(folder, DataConfig()), prepare(resolve("tiny", folder), work).catalogue, work)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `python -m tradewind ...` in a process of its own; keyword arguments are environment variables."""
    return lambda *arguments, **environment: run_cli(tmp_path, *arguments, **environment)
