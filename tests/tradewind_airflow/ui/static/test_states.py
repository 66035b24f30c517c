"""What every page shows while it loads, and when the server gives no data."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import FrameLocator, Page, expect

import pages_data as data
from pages_server import NO_ANSWER, PagesServer, Query

Frame = Callable[[str], FrameLocator]
PAGES = ("models", "report", "files", "progress")
ROUTES = {"models": "models", "report": "run", "files": "files", "progress": "progress"}


def open_page(page: Page, server: PagesServer, name: str) -> None:
    page.goto(server.page(name, task_id="finetune"))


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    ("status", "detail", "heading", "words"),
    [
        (401, "Not authenticated", "You are logged out", "Reload Airflow's page to log in again"),
        (403, "Invalid JWT token", "You are logged out", "Reload Airflow's page to log in again"),
        (403, "Forbidden", "You may not read this", "Ask who runs this Airflow for the right to read this DAG."),
        (404, "no run of Tradewind", "Nothing here", "no run of Tradewind"),
        (422, [{"loc": ["query", "dag_id"], "msg": "Field required"}], "This address is incomplete", "dag_id: Field"),
        (500, None, "The server failed (500)", ""),
        (NO_ANSWER, None, "No answer", "the server cannot be reached"),
    ],
)
def test_failure_is_told_and_can_be_tried_again(
    page: Page, server: PagesServer, name: str, status: int, detail: object, heading: str, words: str
) -> None:
    whole = server.answers[ROUTES[name]]
    server.answer(ROUTES[name], status, {"detail": detail})
    open_page(page, server, name)
    alert = page.get_by_role("alert")
    expect(alert.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    expect(alert).to_contain_text(words)
    expect(page.locator("#content")).to_be_hidden()
    server.answers[ROUTES[name]] = whole
    alert.get_by_role("button", name="Try again").click()
    expect(page.locator("#content")).to_be_visible()
    expect(alert).to_have_count(0)


def test_logged_out_reader_is_led_back_here(page: Page, server: PagesServer) -> None:
    server.answer("run", 401, {"detail": "Not authenticated"})
    open_page(page, server, "report")
    page.get_by_role("link", name="Log in here").click()
    page.wait_for_url("**/at/airflow/api/v2/auth/login?next=http*tradewind%2Fpages%2Freport*")


@pytest.mark.parametrize("name", PAGES)
def test_page_says_that_it_loads(page: Page, server: PagesServer, name: str) -> None:
    whole, may_answer = server.answers[ROUTES[name]], threading.Event()

    def late(query: Query) -> tuple[int, object]:
        may_answer.wait(10)
        return whole(query)

    server.answers[ROUTES[name]] = late
    open_page(page, server, name)
    expect(page.get_by_text("Loading the")).to_be_visible()
    expect(page.locator("#content")).to_be_hidden()
    may_answer.set()
    expect(page.locator("#content")).to_be_visible()
    expect(page.get_by_text("Loading the")).to_have_count(0)


@pytest.mark.parametrize("name", PAGES)
def test_page_that_is_no_data_is_told(page: Page, server: PagesServer, name: str) -> None:
    """A proxy in between may answer 200 with a page of its own."""
    page.route(f"**/api/{ROUTES[name]}?*", lambda route: route.fulfill(status=200, body="<html>Sign in</html>"))
    open_page(page, server, name)
    expect(page.get_by_role("alert")).to_contain_text("it answered with something other than data")


def test_data_of_another_version_is_told(page: Page, server: PagesServer) -> None:
    faults: list[str] = []
    page.add_init_script("addEventListener('unhandledrejection', (event) => event.preventDefault())")
    page.on("pageerror", lambda error: faults.append(str(error)))
    server.answer("files", 200, {"path": "", "items": []})
    open_page(page, server, "files")
    expect(page.get_by_role("heading", name="This page cannot show what it got")).to_be_visible()


@pytest.mark.parametrize("name", PAGES)
def test_pages_work_in_the_frame_that_airflow_gives_them(server: PagesServer, frame: Frame, name: str) -> None:
    inside = frame(server.page(name, task_id="finetune"))
    expect(inside.locator("#content")).to_be_visible()
    expect(inside.get_by_role("heading", level=1)).to_have_text(name.capitalize())


def test_stage_is_skipped_and_a_file_saved_inside_the_frame(page: Page, server: PagesServer, frame: Frame) -> None:
    server.answer("run", 200, data.run_going_on())
    report, files = frame(server.page("report")), frame(server.page("files"))
    report.get_by_role("button", name="Skip evaluate").click()
    report.get_by_role("button", name="Skip it").click()
    expect(report.get_by_role("dialog")).to_be_hidden()
    assert [call.body for call in server.calls if call.method == "PATCH"] == [{"new_state": "skipped"}]
    with page.expect_download():
        files.get_by_role("link", name="Download run.json").click()
