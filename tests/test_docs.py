"""The documentation names what there is: links, settings of recipes, environment variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from documents import REPOSITORY
from tradewind.config import Recipe
from tradewind.recipes import resolve
from tradewind_airflow.settings_page import SET_BY_USER, SET_FOR_STAGES

PAGES = {page.name: page for page in (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))}
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_OF_TESTS = {"TRADEWIND_TEST_ENCODER"}


def _recipes() -> list[tuple[str, str]]:
    """The YAML examples that are parts of a recipe."""
    blocks = [
        (name, text)
        for name, page in PAGES.items()
        for text in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    ]
    return [(name, text) for name, text in blocks if set(yaml.safe_load(text)) & set(Recipe.model_fields)]


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in _anchors(path), f"{page.name}: {target}"


@pytest.mark.parametrize(("page", "text"), _recipes())
def test_every_example_of_a_recipe_is_valid(page: str, text: str, tmp_path: Path) -> None:
    recipe = tmp_path / "example.yaml"
    recipe.write_text(text, encoding="utf-8")
    resolve(str(recipe), "embedded:en")


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_variable_is_one_that_is_read(page: Path) -> None:
    compose = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    known = {*SET_BY_USER, *SET_FOR_STAGES, *_OF_TESTS, *_variables(compose)}
    assert _variables(page.read_text(encoding="utf-8")) <= known


def _variables(text: str) -> set[str]:
    return set(re.findall(r"\bTRADEWIND_[A-Z]+(?:_[A-Z]+)*\b", text))


def _anchors(page: Path) -> set[str]:
    """What headings are linked by, by GitHub's rule."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
