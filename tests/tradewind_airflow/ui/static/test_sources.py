"""Rules for the pages' own files that no visit of them would show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pages_server import STATIC

SCRIPTS = sorted(STATIC.glob("*.js"))
PAGES = sorted(STATIC.glob("*.html"))
UNSAFE = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|\beval\(|new Function"
    r"|setAttribute\(\"style\"|https?://(?!www\.w3\.org/2000/svg)"
)


def imports_of(script: Path) -> set[Path]:
    """All that a module loads, and what they load."""
    direct = {STATIC / name for name in re.findall(r'from "\./([^"]+)"', script.read_text())}
    return direct.union(*(imports_of(one) for one in direct))


@pytest.mark.parametrize("file", [*SCRIPTS, *PAGES], ids=lambda file: file.name)
def test_no_markup_from_data_and_nothing_from_elsewhere(file: Path) -> None:
    assert UNSAFE.findall(file.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_holds_no_script_or_style_of_its_own(page: Path) -> None:
    text = page.read_text()
    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", text) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_loads_its_modules_at_once(page: Path) -> None:
    """Otherwise they come one after the other, each found only in the last."""
    text = page.read_text()
    (script,) = re.findall(r'type="module" src="\.\./static/([^"]+)"', text)
    named = set(re.findall(r'modulepreload" href="\.\./static/([^"]+)"', text))
    assert named == {module.name for module in imports_of(STATIC / script)}
