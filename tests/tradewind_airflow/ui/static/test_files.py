"""The Files tab: the run's folder, one level at a time."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

import pages_data as data
from pages_server import PagesServer


def names(page: Page) -> list[str]:
    return page.locator("tbody th a").all_inner_texts()


def test_folders_come_first_and_sizes_are_readable(page: Page, server: PagesServer) -> None:
    page.goto(server.page("files"))
    expect(page.get_by_role("row")).to_have_count(5)
    assert names(page) == ["finetune/", "empty/", "config.yaml", "run.json"]
    expect(page.get_by_role("cell", name="1.2 kB")).to_be_visible()
    expect(page.get_by_text("1.2 kB")).to_have_attribute("title", "1,204 bytes")
    expect(page.get_by_role("cell", name="20 Nov 2026, 11:31").first).to_be_visible()


def test_folder_opens_and_the_way_back_is_shown(page: Page, server: PagesServer) -> None:
    page.goto(server.page("files"))
    page.get_by_role("link", name="finetune/").click()
    expect(page.get_by_role("cell", name="5.2 GB")).to_be_visible()
    assert server.asked("files")[-1].query == {"dag_id": data.DAG, "run_id": data.RUN_ID, "path": "finetune"}
    assert page.title() == "finetune · Tradewind"
    way = page.get_by_role("navigation", name="Folder")
    expect(way.locator("[aria-current=page]")).to_have_text("finetune")
    way.get_by_role("link", name="run's folder").click()
    expect(page.get_by_role("link", name="finetune/")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("cell", name="5.2 GB")).to_be_visible()


def test_size_sorts_by_bytes(page: Page, server: PagesServer) -> None:
    page.goto(server.page("files", path="finetune"))
    page.get_by_role("button", name="Size").click()
    assert names(page) == ["model.safetensors", "log.jsonl", "a&b #1?+%.txt"]
    page.get_by_role("button", name="Size").click()
    assert names(page) == ["a&b #1?+%.txt", "log.jsonl", "model.safetensors"]


def test_file_downloads_whatever_its_name(page: Page, server: PagesServer, tmp_path: Path) -> None:
    page.goto(server.page("files", path="finetune"))
    with page.expect_download() as started:
        page.get_by_role("link", name="Download a&b #1?+%.txt").click()
    started.value.save_as(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "one file"
    assert server.asked("files/download")[0].query["path"] == "finetune/a&b #1?+%.txt"


def test_empty_folder_says_so(page: Page, server: PagesServer) -> None:
    page.goto(server.page("files", path="empty"))
    expect(page.get_by_role("heading", name="Nothing in this folder")).to_be_visible()
    expect(page.get_by_role("link", name="run's folder")).to_be_visible()


def test_cut_listing_says_so(page: Page, server: PagesServer) -> None:
    entries = [data.entry(f"{at}.txt", at) for at in range(250)]
    server.answer("files", 200, {"path": "", "entries": entries, "truncated": True})
    page.goto(server.page("files"))
    expect(page.get_by_text("The folder holds more: these are the first 250 entries.")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(100)
    page.get_by_role("button", name="Show 100 more").click()
    expect(page.locator("tbody tr")).to_have_count(200)


def test_refresh_shows_what_came_since(page: Page, server: PagesServer) -> None:
    page.goto(server.page("files", path="empty"))
    expect(page.get_by_role("heading", name="Nothing in this folder")).to_be_visible()
    server.answer("files", 200, {"path": "empty", "entries": [data.entry("new.txt", 0)], "truncated": False})
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("cell", name="0 B")).to_be_visible()
