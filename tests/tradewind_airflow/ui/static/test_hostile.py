"""Texts of models, documents and file names are shown as they are, never run."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

import pages_data as data
from pages_server import PagesServer

KEPT = {"state", "kind", "dag_id", "run", "finished_at", "modified", "metric", "language", "task_id"}
"""What pages look things up by, or is no text."""


def spoiled(value: Any, key: str = "") -> Any:
    """The same answer with markup in every text."""
    if isinstance(value, dict):
        return {name: spoiled(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [spoiled(inner, key) for inner in value]
    return data.HOSTILE + value if isinstance(value, str) and key not in KEPT else value


ANSWERS = {
    "models": {"pipelines": data.pipelines(3), "models": data.models(3), "compare": data.comparison("a", "b")},
    "report": {"run": data.run_going_on()},
    "files": {"files": data.files("finetune")},
    "progress": {"progress": data.training(500, "success", metrics=data.METRICS | {"text": "x", "in": {"it": ["y"]}})},
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_markup_in_the_data_is_text(page: Page, server: PagesServer, name: str) -> None:
    for route, body in ANSWERS[name].items():
        server.answer(route, 200, spoiled(body))
    page.goto(server.page(name, task_id=data.HOSTILE, run_id=data.HOSTILE, path=data.HOSTILE))
    expect(page.locator("#content")).to_be_visible()
    if name == "models":
        for at in (0, 1):
            page.get_by_role("checkbox").nth(at).check()
        page.get_by_role("button", name="Compare", exact=True).click()
        expect(page.locator("#comparison table")).to_be_visible()
    if name == "report":
        page.get_by_role("button", name="Skip").first.click()
    expect(page.get_by_text("<img src=x onerror='window.hacked=1'>").first).to_be_visible()
    assert page.locator("img, script:not([src]), [onerror]").count() == 0
    assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_markup_in_an_error_is_text(page: Page, server: PagesServer, name: str) -> None:
    route = {"report": "run"}.get(name, name)
    server.answer(route, 404, {"detail": data.HOSTILE})
    page.goto(server.page(name, task_id="finetune"))
    expect(page.get_by_role("alert")).to_contain_text("<img src=x")
    assert page.evaluate("window.hacked") is None


def test_names_that_are_no_names_lead_nowhere_else(page: Page, server: PagesServer) -> None:
    """A run or file called `javascript:...` or `//host` stays a part of our own addresses."""
    entries = [data.entry(name, 1) for name in ("javascript:window.hacked=1", "//evil.example/x", "..")]
    server.answer("files", 200, {"path": "", "entries": [*entries, data.entry("..")], "truncated": False})
    page.goto(server.page("files"))
    expect(page.get_by_role("link")).to_have_count(4)
    addresses = page.get_by_role("link").evaluate_all("(links) => links.map((link) => link.href)")
    assert all(address.startswith(f"{server.url}/tradewind/") for address in addresses)
