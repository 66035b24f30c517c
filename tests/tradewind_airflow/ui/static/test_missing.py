"""A part of a page that does not come: a connection reset, a network that changes while the page loads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import FrameLocator, Page, Route, expect

from pages_server import PagesServer

PAGES = ("models", "report", "files", "progress")
PARTS = "**/static/{dom.js,style.css}"


def drop(route: Route) -> None:
    route.abort("connectionreset")


@pytest.mark.parametrize("name", PAGES)
def test_page_that_lost_a_part_loads_once_more_by_itself(page: Page, server: PagesServer, name: str) -> None:
    page.route(PARTS, drop)
    page.goto(server.page(name, task_id="finetune"))
    page.unroute(PARTS)
    expect(page.locator("#content")).to_be_visible()
    assert page.evaluate("document.styleSheets.length") > 1
    expect(page.get_by_role("alert")).to_have_count(0)


def test_style_alone_is_loaded_again_too(page: Page, server: PagesServer) -> None:
    page.route("**/style.css", drop)
    page.goto(server.page("models"))
    page.unroute("**/style.css")
    expect(page.locator("#content")).to_be_visible()
    expect(page.locator("body")).to_have_css("margin-top", "0px")


@pytest.mark.parametrize("name", PAGES)
def test_part_lost_twice_is_told_and_not_asked_for_without_end(page: Page, server: PagesServer, name: str) -> None:
    tries: list[str] = []
    page.on("request", lambda request: tries.append(request.url) if request.is_navigation_request() else None)
    page.route(PARTS, drop)
    page.goto(server.page(name, task_id="finetune"))
    alert = page.get_by_role("alert")
    expect(alert.get_by_role("heading", name="Not all of this page came", exact=True)).to_be_visible()
    assert len(tries) == 2
    page.unroute(PARTS)
    alert.get_by_role("button", name="Load it again").click()
    expect(page.locator("#content")).to_be_visible()
    expect(alert).to_have_count(0)


def test_tab_in_airflow_loads_again_alone(
    page: Page, server: PagesServer, frame: Callable[[str], FrameLocator]
) -> None:
    page.route(PARTS, drop)
    inner = frame(server.page("report"))
    expect(inner.get_by_text("Loading the run")).to_be_visible()
    page.unroute(PARTS)
    expect(inner.locator("#content")).to_be_visible()
    assert page.url.endswith("/dags")
