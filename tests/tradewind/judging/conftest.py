"""Answers and keys of the judge's tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_ANSWERS", str(tmp_path / "answers"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-loopback-0123456789")
