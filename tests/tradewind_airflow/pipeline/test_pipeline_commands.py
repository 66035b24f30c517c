"""`python -m tradewind_airflow.pipeline`, each command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tradewind.pipeline.read import read_pipeline
from tradewind.pipeline.write import HEADER, schema_text
from tradewind_airflow.pipeline.__main__ import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pipelines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADEWIND_PIPELINES", str(tmp_path / "pipelines"))
    return tmp_path / "pipelines"


@pytest.fixture
def run(pipelines: Path, airflow_database: None, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_templates_are_listed_and_valid(run: Run) -> None:
    code, out, _ = run("templates")
    names = [line.split()[0] for line in out.splitlines()]
    assert (code, names) == (0, ["fasttrack", "own_image", "trade_qa"])
    assert run("validate", *names)[0] == 0


def test_every_fault_is_a_line_and_the_exit_code_2(run: Run, tmp_path: Path) -> None:
    for name, text in (("a", ""), ("b", "name: b\ntasks: [{name: c, image: i, dependencies: [c]}]\n")):
        (tmp_path / f"{name}.yaml").write_text(text)
    code, out, err = run("validate", tmp_path / "a.yaml", "own_image", tmp_path / "b.yaml", "own_imge")
    assert code == 2
    assert "own_image, 2 tasks" in out
    first, second, third = err.splitlines()
    assert first.startswith(f"tradewind: {tmp_path}/a.yaml:1: is empty")
    assert second.startswith(f"tradewind: {tmp_path}/b.yaml:2: tasks wait for each other")
    assert third.endswith("did you mean 'own_image'?")


def test_an_imported_file_is_as_it_was_written(run: Run, pipelines: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("# mine\nname:   'own'   # and why\ntasks:\n- {name: a, image: debian}\n")
    code, out, _ = run("import", own)
    assert (code, out) == (0, f"{pipelines}/own.yaml\n")
    assert (pipelines / "own.yaml").read_text() == own.read_text()
    assert (pipelines / "pipeline.schema.json").read_text() == schema_text()
    code, _, err = run("import", own)
    assert (code, err) == (2, f"tradewind: {pipelines}/own.yaml: is there already; name another, or say --replace\n")
    assert run("import", own, "--replace")[0] == 0
    assert run("import", own, "--name", "other")[0] == 0
    assert (pipelines / "other.yaml").read_text() == own.read_text().replace("'own'", "other")


def test_a_broken_file_is_not_imported(run: Run, pipelines: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nschedule: {cron: never}\ntasks: [{name: a, image: debian}]\n")
    code, _, err = run("import", own)
    assert code == 2
    assert "own.yaml:2: schedule.cron: 'never' is no cron expression" in err
    assert not pipelines.exists()


@pytest.mark.parametrize("name", ["../up", "/etc/x", "a b", ""])
def test_a_name_that_leads_elsewhere_is_refused(run: Run, pipelines: Path, name: str) -> None:
    for command in (("import", "own_image", "--name", name or " "), ("duplicate", "trade_qa_documents", name)):
        code, _, err = run(*command)
        assert code == 2, err
    assert not pipelines.exists()


def test_a_duplicate_keeps_comments_and_changes_the_name_only(run: Run, pipelines: Path) -> None:
    run("import", "fasttrack")
    assert run("duplicate", "fasttrack_example", "mine")[0] == 0
    first = (pipelines / "fasttrack_example.yaml").read_text()
    assert (pipelines / "mine.yaml").read_text() == first.replace("name: fasttrack_example", "name: mine")
    code, _, err = run("duplicate", "mine", "trade_qa")
    assert (code, "is the name of trade_qa.py already" in err) == (2, True)
    code, _, err = run("duplicate", "mne", "other")
    assert (code, "did you mean 'mine'?" in err) == (2, True)


def test_a_dag_in_python_is_duplicated_as_yaml_and_exported_the_same(run: Run, pipelines: Path, tmp_path: Path) -> None:
    assert run("duplicate", "trade_qa", "company")[0] == 0
    pipeline = read_pipeline(pipelines / "company.yaml").pipeline
    assert (pipeline.name, len(pipeline.tasks)) == ("company", 16)
    code, out, _ = run("export", "trade_qa", "--name", "company")
    assert (code, out) == (0, (pipelines / "company.yaml").read_text())
    assert out.startswith(HEADER)
    assert run("export", "company", "--out", tmp_path / "out/c.yaml")[0] == 0
    assert (tmp_path / "out/c.yaml").read_text() == out


def test_history_is_shown_and_restored(run: Run, pipelines: Path) -> None:
    run("import", "own_image")
    file = pipelines / "own_image.yaml"

    def git(*arguments: str) -> None:
        identity = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        subprocess.run(["git", *arguments], cwd=pipelines, check=True, capture_output=True, env=os.environ | identity)

    code, _, err = run("history", "own_image")
    assert (code, "is in no git repository" in err) == (2, True)
    git("init", "--quiet")
    first = file.read_text()
    for text, subject in ((first, "Begin"), (first.replace("memory: 512m", "memory: 1g"), "More memory")):
        file.write_text(text)
        git("add", "--all")
        git("commit", "--quiet", "--message", subject)
    code, out, _ = run("history", "own_image")
    assert [line.split()[0] for line in out.splitlines()] == ["v2", "v1"]
    assert out.splitlines()[0].endswith("More memory (now)")
    code, out, _ = run("restore", "own_image", "v1")
    assert (code, file.read_text()) == (0, first)
    assert "is v1 (" in out
    assert "changes that are not committed" in run("history", "own_image")[1]
    code, _, err = run("restore", "own_image", "v2")
    assert (code, "would be lost; commit them" in err) == (2, True)
