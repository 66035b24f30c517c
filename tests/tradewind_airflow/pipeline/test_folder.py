"""A folder of pipelines in Airflow's own DagBag: what is broken is told and takes nothing with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GOOD = "name: {name}\ntasks:\n  - {{name: a, image: debian, command: x}}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADEWIND_PIPELINES", str(tmp_path))
    for name in ("first", "second"):
        (tmp_path / f"{name}.yaml").write_text(GOOD.format(name=name))
    return tmp_path


def load(project: Path, name: str) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(project / "dags" / f"{name}.py"))


def told(project: Path) -> list[str]:
    (error,) = load(project, "broken_pipelines").import_errors.values()
    text = error.strip().rpartition("tradewind.errors.UserError: ")[2]
    return [str(line) for line in text.splitlines()]


def test_each_file_is_a_dag_of_the_file_that_loads_them(airflow_database: None, project: Path, folder: Path) -> None:
    bag = load(project, "yaml_pipelines")
    assert sorted(bag.dags) == ["first", "second"]
    assert {dag.fileloc for dag in bag.dags.values()} == {str(project / "dags" / "yaml_pipelines.py")}
    assert load(project, "broken_pipelines").import_errors == {}


def test_without_a_folder_there_is_nothing_and_no_error(
    airflow_database: None, project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWIND_PIPELINES", str(folder / "none"))
    assert load(project, "yaml_pipelines").dags == {}
    assert load(project, "yaml_pipelines").import_errors == load(project, "broken_pipelines").import_errors == {}


def test_a_broken_one_is_an_import_error_with_its_line_and_the_others_are_there(
    airflow_database: None, project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a_cycle.yaml").write_text("name: z\ntasks:\n  - {name: a, image: i, dependencies: [a]}\n")
    (folder / "b_cron.yml").write_text(f"schedule: {{cron: never}}\n{GOOD.format(name='y')}")
    (folder / "c_same.yaml").write_text(f"# a comment\n{GOOD.format(name='ab')}")
    (folder / "d_same.yaml").write_text(f"# a comment\n{GOOD.format(name='ab')}")
    (folder / "e_taken.yaml").write_text(GOOD.format(name="trade_qa"))
    (folder / "f_dunder.yaml").write_text(GOOD.format(name="__file__"))
    (folder / "g_gone.yaml").symlink_to(folder / "nowhere")
    (folder / "h_date.yaml").write_text(f"params: {{day: 2026-01-01}}\n{GOOD.format(name='h')}")
    (folder / "i_seed.yaml").write_text(f"form: run\nparams: {{seed: -5}}\n{GOOD.format(name='i')}")
    (folder / "j_with.yaml").write_text(
        "name: j\nform: run\ntasks:\n  - {name: a, uses: finetune, with: {overrides: 5}}\n"
    )
    (folder / "notes.txt").write_text("{{{")
    bag = load(project, "yaml_pipelines")
    assert bag.import_errors == {}
    assert sorted(bag.dags) == ["__file__", "ab", "first", "second"]
    assert [line.removeprefix(f"{folder}/") for line in told(project)] == [
        "a_cycle.yaml:3: tasks wait for each other: a -> a; take one of these dependencies out",
        "d_same.yaml:2: 'ab' is the name of c_same.yaml too; choose another",
        "e_taken.yaml:1: 'trade_qa' is the name of trade_qa.py too; choose another",
        "g_gone.yaml: no such file; name a pipeline's YAML",
        "j_with.yaml:4: task 'a' (finetune): `overrides` are settings, such as {split.read: 0.2}",
        "b_cron.yml:1: schedule.cron: 'never' is no cron expression; write five fields such as '0 2 * * *'",
        (
            "h_date.yaml:1: params: All provided parameters must be json-serializable. The value '2026-01-01' is not "
            "serializable; see the form's field"
        ),
        "i_seed.yaml:2: params: -5 is less than the minimum of 0; see the form's field",
    ]


def test_a_tasks_process_builds_its_own_dag_only(
    airflow_database: None, project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "broken.yaml").write_text("name: [\n")
    (folder / "about_second.yaml").write_text("# second\n" + GOOD.format(name="third"))
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "second")
    assert list(load(project, "yaml_pipelines").dags) == ["second"]
    assert load(project, "broken_pipelines").import_errors == {}


def test_hidden_files_are_no_pipelines(airflow_database: None, project: Path, folder: Path) -> None:
    (folder / ".#first.yaml").symlink_to("somebody@host.1234")  # as an editor locks it
    (folder / "._first.yaml").write_bytes(b"\0\5\x16\7")
    assert load(project, "broken_pipelines").import_errors == {}


def test_a_tasks_process_finds_a_name_that_is_written_by_escapes(
    airflow_database: None, project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "third.yaml").write_text(GOOD.format(name='"th\\u0069rd"'))
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "third")
    assert list(load(project, "yaml_pipelines").dags) == ["third"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_folder_that_may_not_be_looked_into_is_told(project: Path, folder: Path) -> None:
    program = f"""
import os
from pathlib import Path
from tradewind_airflow.pipeline.folder import files_of
os.setuid(4242)
files_of(Path({str(folder)!r}))
"""
    folder.chmod(0o700)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    told = done.stderr.strip().splitlines()[-1]
    assert told.endswith(f"UserError: {folder}: Permission denied; check its rights, and TRADEWIND_PIPELINES")


def test_no_secret_reaches_the_serialised_dag(
    airflow_database: None, project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    monkeypatch.setenv("SLACK_TOKEN", "xoxb-marker")
    (folder / "fasttrack.yaml").write_text(
        (project / "include/tradewind/pipeline/templates/fasttrack.yaml").read_text()
    )
    dag = load(project, "yaml_pipelines").dags["fasttrack_example"]
    assert "marker" not in json.dumps(DagSerialization.to_dict(dag))


def test_many_pipelines_are_read_in_seconds(airflow_database: None, project: Path, folder: Path) -> None:
    """What the DAG processor spends each half minute; os.times, since a busy machine's clock says little."""
    text = (project / "include/tradewind/pipeline/templates/trade_qa.yaml").read_text()
    for number in range(20):
        (folder / f"p{number}.yaml").write_text(text.replace("name: company_qa", f"name: p{number}"))
    load(project, "yaml_pipelines")
    before = os.times().user
    assert len(load(project, "yaml_pipelines").dags) == 22
    assert os.times().user - before < 6
