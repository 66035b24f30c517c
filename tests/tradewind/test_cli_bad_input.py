"""Bad input on the command line: one line that names file, place and what to do, exit code 2, nothing half-written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from documents import SAMPLES, Cli, complaint, glossary, rows, write_files

Arguments = list[str | Path]


@dataclass(frozen=True)
class Case:
    """Arguments made in an empty folder, and what the complaint about them must hold."""

    arguments: Callable[[Path], Arguments]
    told: tuple[str, ...]


def _recipe(content: str | bytes, *told: str) -> Case:
    def write(folder: Path) -> Arguments:
        write_files(folder, {"own.yaml": content})
        return ["--recipe", folder / "own.yaml"]

    return Case(write, ("own.yaml", *told))


def _data(files: dict[str, Any], *told: str) -> Case:
    return Case(lambda folder: ["--data", write_files(folder / "documents", files)], told)


def _options(*arguments: str, told: tuple[str, ...]) -> Case:
    return Case(lambda _: list(arguments), told)


CASES = {
    "unknown key": _recipe("adapt:\n  optm: x\n", "own.yaml:2: adapt.optm: unknown key; did you mean 'optim'?"),
    "wrong value": _recipe("split:\n  read: lots\n", "own.yaml:2: split.read: ", "valid number", "'lots'"),
    "broken YAML": _recipe("split:\n  read: [0.1\n", "own.yaml:3: not YAML"),
    "recipe in another encoding": _recipe(b"# \xc7\xd1\n", "own.yaml: byte 2: not UTF-8; save"),
    "unknown recipe": _options("--recipe", "tinny", told=("recipe 'tinny'", "did you mean 'tiny'?")),
    "absent recipe": _options("--recipe", "no.yaml", told=("no.yaml: no such recipe file",)),
    "override without value": _options("--set", "split.read", told=("--set split.read: write KEY=VALUE",)),
    "override of nothing": _options("--set", "split.reed=0.1", told=("split.reed: unknown key; did you mean 'read'?",)),
    "override that is no YAML": _options("--set", "split.read=[", told=("--set split.read=[",)),
    "unknown samples": _options(
        "--data", "embedded:fr", told=("data 'embedded:fr': unknown; embedded are embedded:en",)
    ),
    "missing folder": _options("--data", "absent", told=("absent: no such folder; ", "--data")),
    "no folder": _options("--data", "", told=("--data: empty; name the folder of your documents",)),
    "a file for the folder": Case(
        lambda folder: ["--data", write_files(folder, {"some.csv": "term,description\n"}) / "some.csv"],
        ("some.csv: is a file; ", "term_data/", "name the folder above"),
    ),
    "empty folder": _data({}, "documents: holds no documents; put some into exam_data/*.json"),
    "folders without files": _data({"term_data/.keep": ""}, "documents: holds no documents"),
    "broken JSON": _data({"term_data/t.json": '[\n {"term": }]'}, "term_data/t.json:2:11: broken JSON", "mend"),
    "lines in a file of one object": _data(
        {"exam_data/e.json": '{"fixed_text": ""}\n{"fixed_text": ""}'}, "e.json:2:1: broken JSON", "call it .jsonl"
    ),
    "lines in a file of one list": _data(
        {"term_data/t.json": '{"term": "t"}\n{"term": "u"}'}, "t.json:2:1: broken JSON", "call it .jsonl"
    ),
    "documents in another encoding": _data(
        {"exam_data/e.json": "질문".encode("cp949")}, "exam_data/e.json: byte 0", "UTF-8"
    ),
    "transcript in another encoding": _data(
        {"transcript_data/t.txt": b"na\xefve"},
        "t.txt: byte 2: not UTF-8; convert",
        "iconv -f CP1252 -t UTF-8 FILE > NEW",
    ),
    "nothing usable": _data({"term_data/t.json": [{"term": "t"}]}, "t.json: entry 0: no description"),
    "too few questions": _data(
        {"term_data/t.json": glossary(12)},
        "documents: too few held-out questions for an interval: split.reworded (0.3): 3 questions of 3 records, ",
        "split.read (0.1): 2 questions of 1 record, split.unseen (0.1): 2 questions of 1 record; ",
        "put into the recipe: split: {",
    ),
}


def _half_written(run: Path) -> list[str]:
    """Stage folders, rows and temporary files below a run directory."""
    found = [path.relative_to(run) for path in run.rglob("*")]
    names = {"prepare", "adapt", "result.json"}
    return [str(path) for path in found if path.name in names or path.suffix == ".jsonl" or ".json." in path.name]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("command", ["validate", "prepare"])
def test_bad_input_is_told_in_one_line_and_nothing_is_published(
    tmp_path: Path, cli: Cli, command: str, name: str
) -> None:
    run = tmp_path / "run"
    where: Arguments = ["--run-dir", run] if command == "prepare" else []
    refused = cli(command, *CASES[name].arguments(tmp_path), *where)
    assert refused.returncode == 2, refused.stderr
    message = complaint(refused)
    assert not [part for part in CASES[name].told if part not in message], message
    assert refused.stdout == ""
    assert not _half_written(run)


def test_validate_complains_on_one_line_alone(cli: Cli) -> None:
    assert cli("validate", "--data", "absent").stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("model.model_name_or_path={tmp}/absent", "{tmp}/absent: no such folder; name a model folder or a hub name"),
        ("model.model_name_or_path={tmp}", "{tmp}: holds no config.json; name a model folder or a hub name"),
        ("model.model_name_or_path=embedded:tiny", "model 'embedded:tiny': unknown; embedded are "),
        ("evaluate.encoder=./absent", "model './absent': absent: no such folder; name a model folder"),
    ],
)
def test_a_model_that_is_not_there_is_found_by_validate(tmp_path: Path, cli: Cli, setting: str, told: str) -> None:
    refused = cli("validate", "--set", setting.format(tmp=tmp_path))
    assert refused.returncode == 2
    assert told.format(tmp=tmp_path) in complaint(refused)


def test_a_model_that_is_not_there_stops_adapt_before_anything_is_published(tmp_path: Path, cli: Cli) -> None:
    run, absent = tmp_path / "run", tmp_path / "absent"
    assert cli("prepare", "--run-dir", run).returncode == 0
    settings = ("--recipe", "tiny", "--data", SAMPLES["en"], "--set", f"model.model_name_or_path={absent}")
    refused = cli("adapt", "--run-dir", run, *settings)
    assert refused.returncode == 2
    assert complaint(refused).startswith(f"model '{absent}': {absent}: no such folder; ")
    assert not (run / "adapt").exists()


@pytest.mark.parametrize("stage", ["adapt", "finetune", "evaluate", "report"])
def test_a_stage_without_the_one_before_it_names_what_to_run(tmp_path: Path, cli: Cli, stage: str) -> None:
    refused = cli(stage, "--run-dir", tmp_path / "run")
    assert refused.returncode == 2
    assert complaint(refused) == f"{tmp_path}/run/prepare/result.json: no such file; run the stage 'prepare' first"
    assert not _half_written(tmp_path / "run")


@pytest.mark.parametrize("content", ["", '{"stage": "prep', "{}", '{"stage": "prepare", "x": 1}'])
def test_a_damaged_result_is_told_with_the_stage_to_run_again(tmp_path: Path, cli: Cli, content: str) -> None:
    run = write_files(tmp_path / "run", {"prepare/result.json": content})
    refused = cli("adapt", "--run-dir", run)
    assert refused.returncode == 2
    message = complaint(refused)
    assert message.startswith(f"{run}/prepare/result.json: ")
    assert message.endswith("; run the stage 'prepare' again")
    assert not (run / "adapt").exists()


@pytest.mark.parametrize("content", ["", "{", b"\xff\xfe", '{"recipe": 1}'])
def test_a_damaged_configuration_is_told(tmp_path: Path, cli: Cli, content: str | bytes) -> None:
    run = write_files(tmp_path / "run", {"config.json": content})
    refused = cli("prepare", "--run-dir", run)
    assert refused.returncode == 2
    assert complaint(refused).startswith(f"{run}/config.json: ")
    assert not _half_written(run)


@pytest.mark.parametrize("option", ["--config", "--run-dir"])
def test_a_folder_for_a_file_and_a_file_for_a_folder_are_told(tmp_path: Path, cli: Cli, option: str) -> None:
    write_files(tmp_path, {"file": "", "folder/file": ""})
    wrong = {"--config": tmp_path / "folder", "--run-dir": tmp_path / "file"}[option]
    given: dict[str, Path] = {"--run-dir": tmp_path / "run", option: wrong}
    refused = cli("prepare", *(part for pair in given.items() for part in pair))
    assert refused.returncode == 2, refused.stderr
    assert str(wrong) in complaint(refused)


def test_a_broken_line_of_pairs_is_rejected_and_the_others_are_prepared(tmp_path: Path, cli: Cli) -> None:
    data = shutil.copytree(SAMPLES["en"], tmp_path / "documents")
    write_files(data, {"transcript_data/success/zz.jsonl": '\n{"context": "cut'})
    done = cli("prepare", "--data", data, "--run-dir", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    (rejected,) = rows(tmp_path / "run" / "prepare" / "rejected.jsonl")
    assert (rejected["file"], rejected["place"]) == ("transcript_data/success/zz.jsonl", "line 2")
    assert rejected["reason"].startswith("broken JSON at column ")
    assert rejected["excerpt"] == '{"context": "cut'


@pytest.mark.parametrize(
    "entry", [r'{"term": "cut \ud83d", "description": "d"}', r'{"term": "", "description": "\ud83d"}']
)
def test_half_of_a_character_is_rejected_or_told_and_no_crash(tmp_path: Path, cli: Cli, entry: str) -> None:
    data = shutil.copytree(SAMPLES["en"], tmp_path / "documents")
    write_files(data, {"term_data/zz.json": f"[{entry}]"})
    done = cli("prepare", "--data", data, "--run-dir", tmp_path / "run")
    if done.returncode == 0:
        assert [row["file"] for row in rows(tmp_path / "run" / "prepare" / "rejected.jsonl")] == ["term_data/zz.json"]
    else:
        assert "term_data/zz.json" in complaint(done)
        assert not _half_written(tmp_path / "run")
    assert cli("validate", "--data", data).returncode == done.returncode


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--gpu", "0"], "--gpu: needs --lease-dir, the folder of the GPUs' lock files"),
        (["--gpu", "0", "--lease-dir", "absent"], "absent/gpu-0.lock: No such file or directory; check the path, "),
        (["--gpu", "../0", "--lease-dir", "."], "GPU '../0': not an index or a UUID; see TRADEWIND_GPUS"),
    ],
)
def test_a_gpu_that_cannot_be_held_stops_a_stage_before_it_starts(
    tmp_path: Path, cli: Cli, arguments: list[str], told: str
) -> None:
    refused = cli("prepare", "--run-dir", tmp_path / "run", *arguments)
    assert refused.returncode == 2
    assert complaint(refused).startswith(told)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--processes", "0"], "--processes 0: at least one does the work; say 1 or more"),
        (["--processes", "-2"], "--processes -2: at least one does the work; say 1 or more"),
        (
            ["--processes", "2", "--gpu", "0", "--gpu", "0", "--lease-dir", "."],
            "--processes 2: each takes a GPU of its own, but --gpu names 1; name as many",
        ),
        (["--ray-workers", "0"], "--ray-workers and --ray-cpus: give whole numbers from 1"),
        (
            ["--ray-workers", "2", "--processes", "2"],
            "--ray-workers: Ray gives out processes and GPUs itself; leave out --processes and --gpu",
        ),
    ],
)
def test_processes_that_cannot_be_are_refused(tmp_path: Path, cli: Cli, words: list[str], told: str) -> None:
    refused = cli("adapt", "--run-dir", tmp_path / "run", *words)
    assert (refused.returncode, complaint(refused)) == (2, told)
    assert not (tmp_path / "run").exists()


def test_workers_of_a_ray_cluster_that_is_not_there_are_refused_at_once(tmp_path: Path, cli: Cli) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    refused = cli("adapt", "--run-dir", tmp_path / "run", "--ray-workers", "2", RAY_TMPDIR=str(tmp_path))
    assert refused.returncode == 2
    assert "--ray-workers: no Ray cluster takes this process" in complaint(refused)
    assert "start the stage as a Ray job" in complaint(refused)
    assert not (tmp_path / "run").exists()


def test_only_stages_with_a_model_are_shared_by_processes(tmp_path: Path, cli: Cli) -> None:
    refused = cli("prepare", "--run-dir", tmp_path / "run", "--processes", "2")
    assert refused.returncode == 2
    assert "unrecognized arguments: --processes 2" in refused.stderr
