"""Which held-out questions a server is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finished_run import finished_run
from tradewind.errors import UserError
from tradewind.kinds import KINDS
from tradewind.serving.questions import SmokeSet, draw


def _rows(count: int, alike: int = 0) -> list[dict[str, Any]]:
    """So many rows of each kind, of which `alike` are answered by the base as well."""
    return [
        {
            "id": f"{kind}{at}", "kind": kind, "question": f"{kind} {at}?",
            "answers": {"base": "same" if at < alike else "base's", "tuned": "same"},
        }
        for kind in KINDS
        for at in range(count)
    ]  # fmt: skip


def test_ten_are_drawn_of_each_kind_in_turn_by_the_seed() -> None:
    rows = _rows(50)
    drawn = draw(rows, "tuned", 1)
    kinds = [question.kind for question in drawn]
    assert len(set(drawn)) == 10
    assert {kind: kinds.count(kind) for kind in KINDS} in ({k: 4 if k == more else 3 for k in KINDS} for more in KINDS)
    assert draw(rows, "tuned", 1) == drawn
    assert draw(rows, "tuned", 2) != drawn


def test_what_the_base_answers_alike_is_asked_last() -> None:
    assert all(question.tells for question in draw(_rows(50, alike=46), "tuned", 1))
    few = draw(_rows(50, alike=49), "tuned", 1)
    assert sum(question.tells for question in few) == 3
    assert len(few) == 10


def test_fewer_than_ten_are_all_asked() -> None:
    assert len(draw(_rows(2), "tuned", 1)) == 6


def test_a_model_without_answers_has_nothing_to_be_asked(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    with pytest.raises(UserError, match="holds no answer of the model 'adapted'; run the stage 'evaluate' again"):
        SmokeSet.of(run, run.result("evaluate"), "adapted")
