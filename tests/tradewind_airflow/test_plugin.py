"""The plugin registers once, wherever Airflow finds it, and its modules do not take over others' names."""

from __future__ import annotations

import json
import shutil
import site
import sys
from pathlib import Path
from typing import Any

import pytest

_LOAD = """
import json, sys
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
modules = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
print(json.dumps({"names": [p.name for p in plugins], "sources": [str(p.source) for p in plugins],
                  "errors": errors, "modules": modules}))
"""


def _loaded(done: Any) -> dict[str, Any]:
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture
def not_installed(tmp_path: Path, project: Path) -> str:
    """A PYTHONPATH with all that is installed except this project, of which it has include/ only."""
    packages = tmp_path / "packages"
    packages.mkdir()
    installed = Path(next(path for path in site.getsitepackages() if path.startswith(sys.prefix)))
    for entry in installed.iterdir():
        if "tradewind" not in entry.name:
            (packages / entry.name).symlink_to(entry)
    return f"{packages}:{project / 'include'}"


def test_folder_and_entry_point_register_it_once(python: Any) -> None:
    found = _loaded(python(_LOAD))
    assert found["names"] == ["tradewind"]


def test_folder_and_entry_point_together_are_no_import_error(python: Any) -> None:
    """Airflow's page shows each import error of a plugin, and every component logs it."""
    assert _loaded(python(_LOAD))["errors"] == {}


def test_the_entry_point_alone_registers_it(python: Any, tmp_path: Path) -> None:
    found = _loaded(python(_LOAD, AIRFLOW__CORE__PLUGINS_FOLDER=str(tmp_path)))
    assert found["names"] == ["tradewind"]
    assert "EntryPoint" in found["sources"][0]
    assert found["errors"] == {}


def test_the_folder_alone_registers_it(python: Any, not_installed: str) -> None:
    found = _loaded(python(_LOAD, flags=("-S",), PYTHONPATH=not_installed))
    assert (found["names"], found["errors"]) == (["tradewind"], {})
    assert found["sources"] == ["$PLUGINS_FOLDER/tradewind_plugin.py"]


def test_without_folder_and_entry_point_there_is_none(python: Any, not_installed: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "empty")
    done = python(_LOAD, flags=("-S",), PYTHONPATH=not_installed, AIRFLOW__CORE__PLUGINS_FOLDER=folder)
    assert _loaded(done)["names"] == []


def test_no_module_of_ours_is_executed_under_its_bare_name(python: Any, project: Path, tmp_path: Path) -> None:
    def taken(folder: Path) -> set[str]:
        ours = {path.stem for path in (project / "plugins/tradewind_airflow").rglob("*.py")}
        modules = _loaded(python(_LOAD, AIRFLOW__CORE__PLUGINS_FOLDER=str(folder)))["modules"]
        return {name for name in ours if str(modules.get(name)).startswith(str(folder))}

    assert taken(project / "plugins") == set()
    unguarded = tmp_path / "plugins"
    # Without the ignore file it would happen; __main__.py is left out since Airflow would end there.
    left_out = shutil.ignore_patterns(".airflowignore", "__pycache__", "__main__.py")
    shutil.copytree(project / "plugins", unguarded, ignore=left_out)
    assert {"stage", "slack", "message"} <= taken(unguarded)


def test_the_macro_renders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.execution_time import macros
    from airflow.sdk.plugins_manager import integrate_macros_plugins
    from jinja2 import Environment

    monkeypatch.setenv("TRADEWIND_HOME", str(tmp_path))
    integrate_macros_plugins()
    template = Environment(autoescape=False).from_string("{{ macros.tradewind.run_dir('d', run_id) }}")
    first, other = (template.render(macros=macros, run_id=run_id) for run_id in ("../a:b", "../a;b"))
    assert Path(first).parent == tmp_path / "runs" / "d" == Path(other).parent
    assert first != other
