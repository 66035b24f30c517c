"""The report itself: a page of its own, which follows the theme where it stands alone and where it is framed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import FrameLocator, Page, expect

import pages_data as data
from pages_server import PagesServer
from tradewind.reporting.contract import Report
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
