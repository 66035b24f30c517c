"""Two models and their answers, once for all tests of a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from served import answers_of, tiny_model

Model = tuple[Path, list[str]]


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The embedded model and what it answers."""
    model = tiny_model(tmp_path_factory.mktemp("first") / "model")
    return model, answers_of(model)


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory, first: Model) -> Model:
    """Another one, that answers otherwise."""
    model = tiny_model(tmp_path_factory.mktemp("second") / "model", turned=3.0)
    answers = answers_of(model)
    assert sum(one != other for one, other in zip(answers, first[1], strict=True)) > 5
    return model, answers
