"""Light and dark, narrow and wide, and what a screen reader is told."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import FrameLocator, Page, expect

import pages_data as data
from pages_server import PagesServer

PAGES = ("models", "report", "files", "progress")
Scheme = Literal["light", "dark"]
Frame = Callable[[str], FrameLocator]

# An expression that gives {checked: texts, weak: those below 4.5, lines: ratios of the plot's lines}.
CONTRAST = Path(__file__).with_name("contrast.js").read_text()


def open_all_of(page: Page, server: PagesServer, name: str) -> None:
    """With everything shown that a page can show at once."""
    server.answer("run", 200, data.run_going_on(may_edit=False, has_report=True, report_of=data.EARLIER))
    server.answer("progress", 200, data.training(500, "success", metrics=data.METRICS))
    page.goto(server.page(name, task_id="finetune"))
    expect(page.locator("#content")).to_be_visible()
    if name == "models":
        for at in (0, 1):
            page.get_by_role("checkbox").nth(at).check()
        page.get_by_role("button", name="Compare", exact=True).click()
        expect(page.locator("#comparison table")).to_be_visible()
    if name == "progress":
        page.get_by_text("The curve as a table").click()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(page: Page, server: PagesServer, name: str, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme)
    open_all_of(page, server, name)
    found = page.evaluate(CONTRAST)
    assert found["checked"] > 15
    assert found["weak"] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_failures_and_the_dialog_stand_out(page: Page, server: PagesServer, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme)
    server.answer("run", 200, data.run_going_on())
    server.patch = lambda _: (403, {"detail": "Forbidden"})
    page.goto(server.page("report"))
    page.get_by_role("button", name="Skip evaluate").click()
    page.get_by_role("button", name="Skip it").click()
    expect(page.get_by_role("alert")).to_contain_text("You may not change")
    assert page.evaluate(CONTRAST)["weak"] == []
    server.answer("files", 500, {"detail": "no room left"})
    page.goto(server.page("files"))
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.evaluate(CONTRAST)["weak"] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_of_the_plot_stand_out(page: Page, server: PagesServer, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(server.page("models"))
    expect(page.locator("figure .line")).to_have_count(8)  # four, and four in the legend
    assert min(page.evaluate(CONTRAST)["lines"]) >= 3


def brightness(page: Page) -> str:
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return "light" if shade == "rgb(255, 255, 255)" else "dark"


def test_theme_is_the_one_chosen_in_airflow(page: Page, server: PagesServer, frame: Frame) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(f"{server.url}/dags")
    page.evaluate("localStorage.setItem('theme', 'dark')")
    inside = frame(server.page("files"))
    body, white = inside.locator("body"), "rgb(255, 255, 255)"
    expect(inside.get_by_role("table")).to_be_visible()
    expect(body).not_to_have_css("background-color", white)
    page.evaluate("localStorage.setItem('theme', 'light')")
    expect(body).to_have_css("background-color", white)
    page.evaluate("localStorage.setItem('theme', 'system')")
    page.emulate_media(color_scheme="dark")
    expect(body).not_to_have_css("background-color", white)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_a_choice_the_browser_decides(page: Page, server: PagesServer, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(server.page("files"))
    assert brightness(page) == scheme


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [320, 390, 1280, 2560])
def test_nothing_hangs_over_the_edge(page: Page, server: PagesServer, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_all_of(page, server, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for button in page.get_by_role("button").filter(visible=True).all():
        box = button.bounding_box()
        assert box
        assert box["height"] >= 24 or "sort" in (button.get_attribute("class") or "")


def test_skip_is_in_reach_on_the_narrowest_screen(page: Page, server: PagesServer) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    server.answer("run", 200, data.run_going_on())
    page.goto(server.page("report"))
    box = page.get_by_role("button", name="Skip finetune").bounding_box()
    assert box
    assert box["x"] + box["width"] <= 320


def test_plot_follows_the_width(page: Page, server: PagesServer) -> None:
    page.goto(server.page("models"))
    plot = page.get_by_role("img", name="Scores of trade_qa")
    wide = float(plot.get_attribute("width") or 0)
    page.set_viewport_size({"width": 400, "height": 800})
    expect(plot).not_to_have_attribute("width", str(int(wide)))
    assert float(plot.get_attribute("width") or 0) <= 400


def test_nothing_moves_for_who_wants_no_motion(page: Page, server: PagesServer) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(server.page("models"))
    assert page.evaluate("getComputedStyle(document.querySelector('.notice') ?? document.body).animationName") == "none"
    expect(page.locator("#content")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0


FOCUSED = """() => {
  const node = document.activeElement;
  const leaves = node === document.body || node.tagName === "IFRAME";
  return [leaves, getComputedStyle(node).outlineStyle, node.outerHTML.slice(0, 200)];
}"""


@pytest.mark.parametrize("name", PAGES)
def test_everything_that_acts_has_a_name_and_shows_its_focus(page: Page, server: PagesServer, name: str) -> None:
    open_all_of(page, server, name)
    first = None
    for _ in range(40):
        page.keyboard.press("Tab")
        leaves, outline, node = page.evaluate(FOCUSED)
        if leaves or node == first:
            break
        first = first or node
        assert outline != "none", node
    snapshot = page.locator("body").aria_snapshot()
    unnamed = [
        line.strip()
        for line in snapshot.splitlines()
        if line.strip() in {"- button", "- link", "- checkbox", "- slider"}
    ]
    assert unnamed == []


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("models", ['heading "Models" [level=1]', 'combobox "Pipeline"', 'img "Scores of trade_qa', 'table "Runs"']),
        ("report", ['heading "Report" [level=1]', 'heading "Stages" [level=2]', 'rowheader "finetune"']),
        ("files", ['navigation "Folder"', 'table "Files and folders"', 'link "Download config.yaml"']),
        ("progress", ['region "How far it is"', 'progressbar "Steps done"', 'region "Final figures"']),
    ],
)
def test_screen_reader_finds_its_way(page: Page, server: PagesServer, name: str, parts: list[str]) -> None:
    open_all_of(page, server, name)
    snapshot = page.locator("body").aria_snapshot()
    for part in ("banner", "main", "status", *parts):
        assert part in snapshot
    levels = page.get_by_role("heading").evaluate_all("(found) => found.map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
