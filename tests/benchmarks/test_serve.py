"""The load test of a served model, on a model of seconds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import serve
from setting.results import read_results


@pytest.mark.parametrize(("share", "value"), [(0.95, 19), (0.5, 10), (1.0, 20), (0.01, 1)])
def test_a_percentile_is_one_of_the_values(share: float, value: int) -> None:
    assert serve.percentile(list(range(20, 0, -1)), share) == value
    with pytest.raises(ValueError, match="no request was answered"):
        serve.percentile([], share)


@pytest.mark.slow
def test_a_served_model_is_asked_by_more_and_more_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_BENCHMARKS", str(tmp_path / "cache"))
    command = ["serve.py", "--model", "trial", "--rounds", "1", "--requests", "8", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    serve.main()
    (found,) = read_results(tmp_path)
    assert found.question == "serve-trial"
    assert [row[:2] for row in found.tables[0].rows] == [
        (way, level) for way in ("one after another", "continuous batching") for level in "1248"
    ]
    assert {row[-1] for row in found.tables[0].rows} == {"0"}
    assert all(len(round_["latencies"]) == 8 and round_["tokens"] > 8 for (round_,) in found.raw.values())
