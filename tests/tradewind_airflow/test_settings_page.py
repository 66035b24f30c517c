"""docs/settings.md says what the code says."""

from __future__ import annotations

import re

import pytest

from documents import REPOSITORY
from tradewind_airflow.settings_page import SET_BY_USER, SET_FOR_STAGES, page


def test_the_page_in_docs_is_of_this_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SET_BY_USER:  # some of them are the form's defaults
        monkeypatch.delenv(name, raising=False)
    written = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == f"{page()}\n", "run: python -m tradewind_airflow.settings_page > docs/settings.md"


def test_the_variables_are_those_of_the_code() -> None:
    own = REPOSITORY / "plugins" / "tradewind_airflow" / "settings_page.py"
    sources = [path for folder in ("include", "plugins", "dags") for path in (REPOSITORY / folder).rglob("*.py")]
    read = {name for path in sources if path != own for name in _variables(path.read_text(encoding="utf-8"))}
    assert read == {*SET_BY_USER, *SET_FOR_STAGES}


def _variables(source: str) -> set[str]:
    return set(re.findall(r"\bTRADEWIND_[A-Z]+(?:_[A-Z]+)*\b", source))
