"""No two folders on the path of imports hold a module of one name: which is met would hang on their order."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def modules(folder: Path) -> set[str]:
    """What `import` finds in a folder: its files of Python, and its packages."""
    return {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}


def test_a_module_s_name_is_met_once() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    folders = [*settings["tool"]["pytest"]["ini_options"]["pythonpath"], "include", "plugins", "dags"]
    names = Counter(name for folder in folders for name in modules(REPOSITORY / folder))
    assert names["conftest"] == 1
    assert names["tradewind"] == 1, "packages are counted too"
    assert [name for name, times in names.items() if times > 1] == []
