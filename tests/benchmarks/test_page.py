"""docs/performance.md stands as the kept results make it, and says what was met."""

from __future__ import annotations

from pathlib import Path

import pytest

from page import page
from setting.places import PAGE, RESULTS
from setting.results import Bar, Result, Table, keep, read_results, result, show


def test_the_page_is_what_the_results_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(read_results(), RESULTS), "run: python benchmarks/page.py"


@pytest.fixture
def found() -> Result:
    """A result with a bar that is met and one that is missed."""
    bars = [
        Bar(question="against a loop", asked=4.0, measured=5.0),
        Bar(question="overhead", asked=10.0, measured=12.0, unit="s", at_most=True),
    ]
    table = Table(title="Runs", head=("", "s"), rows=(("ours", "1.0"), ("a|b", "2.0")), note="medians of 5.")
    return result(
        question="score", title="Scoring", command="python benchmarks/score.py", setting={"texts": "3"},
        tables=[table], bars=bars, found_on={"cores": "2"},
    )  # fmt: skip


def test_tables_bars_and_the_cause_of_what_was_missed(found: Result, tmp_path: Path) -> None:
    (tmp_path / "SCORE.md").write_text("The machine had one core.\n", encoding="utf-8")
    text = page([found], tmp_path)
    assert "| Scoring | against a loop | at least 4x | 5x | met |" in text
    assert "| Scoring | overhead | at most 10 s | 12 s | **missed**: 120% of it |" in text
    assert r"| a\|b | 2.0 |" in text
    assert "medians of 5.\n\nThe machine had one core.\n" in text
    assert found.commit in text


def test_a_result_is_kept_and_read_back(found: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(found, tmp_path)
    assert read_results(tmp_path) == [found]
    show(found)
    assert "cores 2" in capsys.readouterr().out


def test_without_results_the_page_says_so(tmp_path: Path) -> None:
    assert "Nothing has been measured yet" in page(read_results(tmp_path), tmp_path)


@pytest.mark.parametrize(("measured", "met"), [(0.6, True), (0.5999, False)])
def test_a_bar_is_held_to_the_unrounded_figure(measured: float, met: bool) -> None:
    assert Bar(question="share", asked=0.6, measured=measured, unit="%").met is met
