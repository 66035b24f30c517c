"""The report itself: a page of its own, which follows the theme where it stands alone and where it is framed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import FrameLocator, Page, expect

import pages_data as data
from pages_server import PagesServer
from prepared_rows import prepared_rows, write_rows
from tradewind.recipes import resolve
from tradewind.reporting.contract import Report
from tradewind.reporting.dataset_card import write_dataset_card
from tradewind.reporting.render import html

Scheme = Literal["light", "dark"]
CONTRAST = Path(__file__).with_name("contrast.js").read_text()
# What a chart's axes, bars, boxes and lines look like against the page: WCAG asks for 3 of what is no text.
COLOURS = "((style) => [style.backgroundColor, style.color])(getComputedStyle(document.body))"
MARKS = """() => [...document.querySelectorAll("svg :is(path, use)")]
  .map((mark) => getComputedStyle(mark).stroke).filter((colour) => colour !== "none")"""


@pytest.fixture
def shown(report: Report) -> str:
    """The real report's page, with all that it can hold."""
    scores: dict[str, Any] = {metric.metric: {"base": 0.2, "adapted": 0.5, "tuned": 0.9, "champion": 0.7}
                              for group in report.scores.groups for metric in group.metrics}  # fmt: skip
    predictions = [
        {"kind": group.kind, "language": group.language, "scores": scores}
        for group in report.scores.groups
        for _ in range(5)
    ]
    told = report.model_copy(update={"warnings": ("a warning",)})
    return html(told, predictions, {"finetune": [{"step": at, "loss": 3 / at} for at in range(1, 20)]})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_texts_and_those_of_its_charts_stand_out(page: Page, shown: str, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_content(shown)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is (scheme == "light")
    assert page.locator("svg text").count() > 10
    found = page.evaluate(CONTRAST)
    assert found["checked"] > 60
    assert found["weak"] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_charts_have_the_pages_ground_and_ink(page: Page, shown: str, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_content(shown)
    ground, ink = page.evaluate(COLOURS)
    sheets = page.locator("svg #patch_1 path").evaluate_all("(all) => all.map((one) => getComputedStyle(one).fill)")
    assert set(sheets) == {ground}
    assert ink in page.evaluate(MARKS)
    assert {"rgb(0, 0, 0)", "rgb(255, 255, 255)"}.isdisjoint(page.evaluate(MARKS))


@pytest.mark.parametrize("chosen", ["light", "dark"])
def test_in_the_tab_it_follows_what_the_reader_chose_in_airflow(
    page: Page, server: PagesServer, frame: Callable[[str], FrameLocator], shown: str, chosen: Scheme
) -> None:
    """Not what the browser prefers, which is light here, and would be told to every frame if it were emulated."""
    server.report = shown
    page.emulate_media(color_scheme="null")
    page.goto(f"{server.url}/dags")
    page.evaluate("(chosen) => localStorage.setItem('theme', chosen)", chosen)
    inner = frame(server.page("report")).frame_locator(f"iframe[title='Report of run {data.RUN_ID}']")
    expect(inner.get_by_role("heading", name="Scores")).to_be_visible()
    ground = inner.locator("body").evaluate("(body) => getComputedStyle(body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is (chosen == "light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_data_sets_card_is_as_legible(page: Page, tmp_path: Path, scheme: Scheme) -> None:
    prepare = write_rows(tmp_path / "prepare", prepared_rows())
    config = resolve("tiny", "documents", seed=7)
    write_dataset_card(prepare, tmp_path, title="Trade", config=config, accounting={"entries": 12})
    page.emulate_media(color_scheme=scheme)
    page.set_content((tmp_path / "dataset_card.html").read_text())
    found = page.evaluate(CONTRAST)
    assert found["checked"] > 60
    assert found["weak"] == []
    assert {"rgb(0, 0, 0)", "rgb(255, 255, 255)"}.isdisjoint(page.evaluate(MARKS))


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_hangs_over_the_edge_of_a_phone(page: Page, shown: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.set_content(shown)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_scrolls_sideways_is_in_reach_of_the_keyboard(page: Page, shown: str) -> None:
    """Charts and tables that are wider than a phone."""
    page.set_viewport_size({"width": 320, "height": 800})
    page.set_content(shown)
    wide = page.locator(".scroll").evaluate_all(
        "(all) => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => [one.tabIndex, one.ariaLabel])"
    )
    assert len(wide) > 3
    assert all(index == 0 and name for index, name in wide), wide


def test_charts_are_named_for_who_does_not_see_them(page: Page, shown: str) -> None:
    charts = page.locator("body")
    page.set_content(shown)
    assert charts.get_by_role("img").count() == page.locator("svg").count() > 2
    assert all(name for name in page.locator("svg").evaluate_all("(all) => all.map((one) => one.ariaLabel)"))
