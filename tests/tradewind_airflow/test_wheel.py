"""The wheel holds what a running Airflow needs of us, and nothing else."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    project = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(project)], check=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return ZipFile(built)


@pytest.mark.parametrize("package", ["include/tradewind", "plugins/tradewind_airflow"])
def test_it_holds_every_file_of_both_packages_as_it_is(wheel: ZipFile, package: str, project: Path) -> None:
    source = project / package
    files = [path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert files
    for path in files:
        assert wheel.read(path.relative_to(source.parent).as_posix()) == path.read_bytes(), path


@pytest.mark.parametrize(
    "ending",
    ["recipes/tiny.yaml", "recipes/gemma-2-2b-it.yaml", "models/tiny-gemma2/model.safetensors",
     "report/page.html.j2", "report.md.j2", "prompts/judge.en.txt", "judging/anchors.jsonl",
     "en/term_data/trade_terms.json", "ko/term_data/trade_terms.json"],
)  # fmt: skip
def test_it_holds_the_data_that_code_reads(wheel: ZipFile, ending: str) -> None:
    assert [name for name in wheel.namelist() if name.endswith(ending)]


def test_it_holds_nothing_else(wheel: ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"tradewind", "tradewind_airflow"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name or "test" in Path(name).stem.split("_")]


def test_it_names_one_plugin_and_one_command(wheel: ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    parsed = configparser.ConfigParser()
    parsed.read_string(wheel.read(name).decode())
    assert dict(parsed["airflow.plugins"]) == {"tradewind": "tradewind_airflow.plugin:TradewindPlugin"}
    assert dict(parsed["console_scripts"]) == {"tradewind": "tradewind.__main__:main"}
