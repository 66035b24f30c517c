"""`python -m tradewind` in processes of its own: what it prepares, and how fast and lightly it starts."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import tradewind
from documents import SAMPLES, Cli, WriteDocuments, complaint, glossary, rows

OUTPUTS = [
    "corpus.jsonl", "dataset", "dataset_card.html", "dataset_card.md", "heldout.jsonl", "read.conversational.jsonl",
    "rejected.jsonl", "reworded.conversational.jsonl", "train.conversational.jsonl", "train.jsonl",
    "unseen.conversational.jsonl",
]  # fmt: skip
HEAVY = [
    "accelerate", "airflow", "datasets", "matplotlib", "openai", "peft", "sentence_transformers", "torch",
    "transformers", "trl",
]  # fmt: skip
LIGHT = ["httpx", "msgspec", "numpy", "pydantic", "scipy", "sqlite3", "tradewind.config", "yaml"]

# Runs the module as `python -m` does, then says which of the heavy packages it has loaded.
IMPORTS = """
import atexit, runpy, sys
heavy = sys.argv.pop(1).split(",")
atexit.register(lambda: print("loaded:", sorted(set(heavy) & set(sys.modules)), file=sys.stderr))
runpy.run_module("tradewind", run_name="__main__", alter_sys=True)
"""
# Runs the command, then says which variables its process had at the end.
VARIABLES = """
import json, os, sys
from tradewind.__main__ import main
code = main(sys.argv[1:])
print(json.dumps(dict(os.environ)))
sys.exit(code)
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of the English samples after `prepare`."""
    run = tmp_path_factory.mktemp("run") / "run"
    command = [sys.executable, "-m", "tradewind", "prepare", "--run-dir", str(run), "--seed", "5"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return run


def _result(run: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((run / "prepare" / "result.json").read_text(encoding="utf-8"))
    return loaded


def test_prepare_publishes_its_files_and_a_result(prepared: Path) -> None:
    assert sorted(path.name for path in (prepared / "prepare").iterdir()) == sorted([*OUTPUTS, "result.json"])
    assert sorted(path.name for path in prepared.iterdir()) == [".lock", "config.json", "prepare"]


def test_the_result_names_each_file_with_the_hash_and_size_of_its_bytes(prepared: Path) -> None:
    outputs = _result(prepared)["outputs"]
    assert sorted(outputs) == OUTPUTS
    for name, artifact in outputs.items():
        if name == "dataset":
            continue  # a folder's hash is its own test's
        content = (prepared / artifact["path"]).read_bytes()
        assert artifact["sha256"] == hashlib.sha256(content).hexdigest()
        assert artifact["bytes"] == len(content)


def test_the_result_counts_what_the_files_hold(prepared: Path) -> None:
    metrics = _result(prepared)["metrics"]
    train, heldout, corpus, rejected = (
        rows(prepared / "prepare" / name) for name in ("train.jsonl", "heldout.jsonl", "corpus.jsonl", "rejected.jsonl")
    )
    assert metrics["train"] == len(train) > 300
    assert metrics["heldout"] == Counter(row["kind"] for row in heldout)
    assert metrics["pairs"] == len(train) + len(heldout)
    assert metrics["corpus_texts"] == len(corpus) > 100
    assert metrics["rejected"] == len(rejected)
    assert sum(metrics["records"].values()) == sum(metrics["languages"].values())


def test_the_result_says_how_much_memory_the_stage_needed(prepared: Path) -> None:
    peak = _result(prepared)["peak_memory_bytes"]
    assert 50 << 20 < peak["host"] < 2 << 30
    assert peak["gpu"] is None


def test_each_row_says_its_question_answer_context_and_where_they_come_from(prepared: Path) -> None:
    for row in rows(prepared / "prepare" / "train.jsonl") + rows(prepared / "prepare" / "heldout.jsonl"):
        assert all(row[key] for key in ("context", "question", "answer", "file", "record_id", "fact_id", "language"))
        assert (SAMPLES["en"] / row["file"]).is_file()


def test_the_result_and_the_run_keep_the_seed_and_the_whole_configuration(prepared: Path) -> None:
    result = _result(prepared)
    assert result["seed"] == result["config"]["seed"] == 5
    assert result["config"] == json.loads((prepared / "config.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_preparing_is_the_same_in_every_process_and_place(tmp_path: Path, cli: Cli, language: str) -> None:
    hashes = []
    for number in ("1", "2"):
        (tmp_path / number).symlink_to(SAMPLES[language])
        run = tmp_path / f"run{number}"
        done = cli("prepare", "--data", tmp_path / number, "--run-dir", run, PYTHONHASHSEED=number)
        assert done.returncode == 0, done.stderr
        hashes.append({name: artifact["sha256"] for name, artifact in _result(run)["outputs"].items()})
    assert hashes[0] == hashes[1]


def test_another_seed_holds_other_questions_out(prepared: Path, tmp_path: Path, cli: Cli) -> None:
    assert cli("prepare", "--run-dir", tmp_path / "run", "--seed", "6").returncode == 0
    ids = [{row["id"] for row in rows(run / "prepare" / "heldout.jsonl")} for run in (prepared, tmp_path / "run")]
    assert ids[0] != ids[1]


def test_a_stage_repeats_with_the_run_s_own_configuration(tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "run"
    assert cli("prepare", "--run-dir", run, "--seed", "9", "--data", SAMPLES["ko"]).returncode == 0
    first = _result(run)
    assert cli("prepare", "--run-dir", run).returncode == 0
    assert _result(run)["config"] == first["config"]
    assert _result(run)["outputs"] == first["outputs"]


def test_a_stage_that_is_turned_off_publishes_why_it_was_skipped(prepared: Path, tmp_path: Path, cli: Cli) -> None:
    config = json.loads((prepared / "config.json").read_text(encoding="utf-8"))
    config["adapt"]["enabled"] = False
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "prepare").symlink_to(prepared / "prepare")
    done = cli("adapt", "--run-dir", tmp_path / "run", "--config", tmp_path / "config.json")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run" / "adapt" / "result.json").read_text())
    assert (result["status"], result["outputs"]) == ("skipped", {})
    assert "adapt.enabled is false" in result["reason"]
    assert sorted(result["inputs"]) == [f"prepare/{name}" for name in OUTPUTS]


def test_a_configuration_and_settings_beside_it_are_refused(prepared: Path, tmp_path: Path, cli: Cli) -> None:
    both = cli("prepare", "--run-dir", tmp_path / "run", "--config", prepared / "config.json", "--seed", "7")
    assert both.returncode == 2
    assert complaint(both).startswith("--config: holds the whole configuration; leave out ")
    assert not (tmp_path / "run" / "prepare").exists()


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_the_samples_are_valid_and_told_so_in_one_line(cli: Cli, language: str) -> None:
    done = cli("validate", "--data", SAMPLES[language])
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"valid: recipe tiny; {SAMPLES[language]}: ")
    assert line.endswith("; 0 rejected")


def test_the_files_with_rejections_are_told_with_count_and_first_reason(
    cli: Cli, write_documents: WriteDocuments
) -> None:
    bad: dict[str, Any] = {f"qa_data/{number:02}.jsonl": '{"question": "Q"}\n7\n' for number in range(12)}
    bad["term_data/a.json"] = [*glossary(60), glossary(1)[0]]
    done = cli("validate", "--data", write_documents(bad))
    assert (done.returncode, done.stderr) == (0, "")
    first, *lines = done.stdout.splitlines()
    assert first.endswith("; 26 rejected:")
    reason = "no answer: no row has the column 'answer'; the columns are 'question'"
    assert lines[0] == f"  qa_data/00.jsonl: 2, the first: line 1: {reason}"
    assert lines[9].startswith("  qa_data/09.jsonl: 2, ")
    assert lines[10:] == ["  and 3 more files"]


def test_near_duplicates_are_told_with_their_file(cli: Cli, write_documents: WriteDocuments) -> None:
    done = cli("validate", "--data", write_documents({"term_data/a.json": [*glossary(60), glossary(1)[0]]}))
    (told,) = done.stdout.splitlines()[1:]
    assert told.startswith("  term_data/a.json: 2, the first: term_data/a.json#60/1: near-duplicate question of ")


def test_other_people_s_documents_are_checked_too(cli: Cli, others_glossary: Path) -> None:
    done = cli("validate", "--data", others_glossary, "--set", "split={reworded: 0, read: 0, unseen: 0}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "watched", "loaded"),
    [
        (["--help"], [*HEAVY, *LIGHT], []),
        (["prepare", "--help"], [*HEAVY, *LIGHT], []),
        (["models", "promote", "--help"], [*HEAVY, *LIGHT], []),
        (["--version"], [*HEAVY, *LIGHT], []),
        # Of scipy the split takes the groups of related records alone; its optimisation takes a fifth of a second.
        (["validate"], [*HEAVY, "datasketch", "httpx", "jinja2", "scipy.optimize"], []),
        (["prepare", "--run-dir", "run"], HEAVY, ["datasets", "matplotlib"]),  # for the data set and its card
    ],
)
def test_starting_loads_nothing_heavy(
    tmp_path: Path, arguments: list[str], watched: list[str], loaded: list[str]
) -> None:
    command = [sys.executable, "-c", IMPORTS, ",".join(watched), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == f"loaded: {loaded}"


def test_the_version_is_the_package_s(cli: Cli) -> None:
    assert cli("--version").stdout == f"tradewind {tradewind.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["deploy"], ["prepare"], ["validate", "--seed", "many"]])
def test_a_command_that_cannot_be_read_is_told_with_its_usage(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")
    assert "Traceback" not in done.stderr


def test_a_stage_refuses_what_was_made_from_something_since_replaced(tmp_path: Path, cli: Cli) -> None:
    """A model trained on one split must not be scored on another's held-out questions."""
    run = tmp_path / "run"
    settings = ("--recipe", "tiny", "--data", SAMPLES["en"], "--set", "adapt.enabled=false")
    assert cli("prepare", "--run-dir", run, *settings).returncode == 0
    assert cli("adapt", "--run-dir", run).returncode == 0
    assert cli("prepare", "--run-dir", run, *settings, "--seed", "7").returncode == 0
    refused = cli("finetune", "--run-dir", run)
    assert refused.returncode == 2
    assert "run the stage 'adapt' again" in complaint(refused)


def test_some_options_alone_do_not_replace_a_runs_configuration(tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "run"
    assert cli("prepare", "--run-dir", run, "--data", SAMPLES["ko"]).returncode == 0
    before = (run / "config.json").read_text(encoding="utf-8")
    refused = cli("finetune", "--run-dir", run, "--seed", "7")
    assert refused.returncode == 2
    assert "give both --recipe and --data" in complaint(refused)
    assert (run / "config.json").read_text(encoding="utf-8") == before


@pytest.mark.parametrize("named", [True, False])
def test_a_result_says_of_which_task_it_is(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    for name in ("TRADEWIND_JOB_ID", "TRADEWIND_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    of = {"TRADEWIND_JOB_ID": "trade_qa/manual__1", "TRADEWIND_TASK_ID": "prepare[2]/3"} if named else {}
    assert cli("prepare", "--run-dir", tmp_path / "run", **of).returncode == 0
    result = _result(tmp_path / "run")
    expected = ("trade_qa/manual__1", "prepare[2]/3") if named else (None, None)
    assert (result["job_id"], result["task_id"]) == expected


def _with_secrets(run: Path, sent: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", VARIABLES, "prepare", "--run-dir", str(run), "--secrets-from-stdin"]
    return subprocess.run(command, input=sent, capture_output=True, timeout=120, check=False)


def test_secrets_from_standard_input_are_the_stages_variables_and_stand_nowhere(tmp_path: Path) -> None:
    secrets = {"HF_TOKEN": "hf-marker-4711", "OPENAI_API_KEY": '무역 = " \n$HOME'}
    done = _with_secrets(tmp_path / "run", json.dumps(secrets).encode())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout).items() >= secrets.items()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if b"hf-marker-4711" in path.read_bytes()]
    assert b"hf-marker-4711" not in done.stderr


@pytest.mark.parametrize(
    "sent",
    [
        b"hf-marker-4711",
        b'["hf-marker-4711"]',
        b'"hf-marker-4711"',
        b'{"HF_TOKEN": "hf-marker-4711"',
    ],
)
def test_secrets_that_cannot_be_read_are_refused_and_not_repeated(tmp_path: Path, sent: bytes) -> None:
    done = _with_secrets(tmp_path / "run", sent)
    assert done.returncode == 2
    assert done.stderr.decode() == (
        "tradewind: --secrets-from-stdin: standard input is not a JSON object of names and values\n"
    )
    assert not (tmp_path / "run").exists()


def test_secrets_whose_sender_is_gone_are_a_matter_of_trying_again(tmp_path: Path) -> None:
    done = _with_secrets(tmp_path / "run", b"")
    assert done.returncode == 75
    assert done.stderr == b"tradewind: the secrets did not arrive: their sender ended; start again\n"
    assert not (tmp_path / "run").exists()
