"""A real browser on the real pages; only the data that they ask for is canned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from playwright.sync_api import Browser, ConsoleMessage, FrameLocator, Page

import headless
from pages_server import PagesServer


# For a module, not for the session: while it runs, no other test of this process may start an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    why = headless.missing()
    if why:
        pytest.skip(why)
    with headless.chromium() as started:
        yield started


@pytest.fixture
def server() -> Iterator[PagesServer]:
    with PagesServer() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab in which no script may fail and no policy be broken."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900}, timezone_id="Asia/Seoul", locale="en-GB")
    opened.set_default_timeout(headless.LIMIT)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", partial(_keep_breach, faults))
    yield opened
    opened.context.close()
    assert faults == []


ADD_FRAME = """(address) => {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-forms allow-downloads");
  frame.src = address;
  frame.height = 600;
  document.body.append(frame);
}"""


@pytest.fixture
def frame(page: Page, server: PagesServer) -> Callable[[str], FrameLocator]:
    """Show an address as Airflow does: in a frame with the rights that it gives, after those already there."""
    page.goto(f"{server.url}/dags")

    def add(address: str) -> FrameLocator:
        page.evaluate(ADD_FRAME, address)
        return page.locator("iframe").nth(page.locator("iframe").count() - 1).content_frame

    return add


def _keep_breach(faults: list[str], message: ConsoleMessage) -> None:
    if "Content Security Policy" in message.text:
        faults.append(message.text)
