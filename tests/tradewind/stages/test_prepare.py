"""The stage `prepare`: every entry and every pair is in one of its files, and little memory holds them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from documents import Cli, WriteDocuments, glossary, passage, rows

ENTRIES = [
    *glossary(60),
    {"term": "", "description": "Nothing is named."},
    "no object",
    {**glossary(1)[0], "term": "Another name"},
    {**glossary(2)[1]},
]
FILES: dict[str, Any] = {
    "term_data/a.json": ENTRIES,
    "transcript_data/l.txt": "Something that is said in passing.\n\nIt is said again.",
    "transcript_data/success/l.jsonl": passage("A passage.", [{"question": "What is it?", "answer": "It."}, 3]),
}
SPLIT = ("--set", "split.min_items=2")


@pytest.fixture
def prepared(tmp_path: Path, write_documents: WriteDocuments, cli: Cli) -> Path:
    """The published folder of `FILES`."""
    done = cli("prepare", "--data", write_documents(FILES), "--run-dir", tmp_path / "run", *SPLIT)
    assert done.returncode == 0, done.stderr
    return tmp_path / "run" / "prepare"


def _metrics(prepared: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((prepared / "result.json").read_text(encoding="utf-8"))["metrics"]
    return metrics


def test_entries_read_are_converted_or_rejected(prepared: Path) -> None:
    entries = _metrics(prepared)["entries"]
    assert entries == {"read": 66, "converted": 63, "rejected": 3}
    places = [row["place"] for row in rows(prepared / "rejected.jsonl")]
    assert places[:3] == ["entry 60", "entry 61", "line 1, pair 2"]


def test_pairs_made_are_trained_on_held_out_or_rejected(prepared: Path) -> None:
    metrics = _metrics(prepared)
    ids = [row["id"] for name in ("train.jsonl", "heldout.jsonl") for row in rows(prepared / name)]
    ids += [row["place"] for row in rows(prepared / "rejected.jsonl") if row["reason"].startswith("near-duplicate")]
    assert len(ids) == len(set(ids)) == metrics["pairs_made"] == 62 * 2 + 1
    assert metrics["rejected_reasons"]["near-duplicate question"] == 3


def test_a_near_duplicate_is_rejected_with_what_it_repeats(prepared: Path) -> None:
    first, *others = rows(prepared / "rejected.jsonl")[3:]
    assert first == {
        "file": "term_data/a.json",
        "place": "term_data/a.json#62/1",
        "reason": "near-duplicate question of term_data/a.json#0/1, with another answer",
        "excerpt": rows(prepared / "rejected.jsonl")[3]["excerpt"],
    }
    assert glossary(1)[0]["description"] in first["excerpt"]
    assert [row["reason"] for row in others] == [f"near-duplicate question of term_data/a.json#1/{n}" for n in (1, 2)]


def test_the_card_is_named_after_the_folder_and_not_after_its_place(prepared: Path) -> None:
    for name in ("dataset_card.md", "dataset_card.html"):
        card = (prepared / name).read_text(encoding="utf-8")
        assert "tiny: documents" in card
        assert str(prepared.parents[1]) not in card


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ([], None),
        (["a.txt"], "1 text is only read in adaptation: it has no pairs in "),
        (["a.txt", "b.md"], "2 texts are only read in adaptation: they have no pairs in "),
    ],
)
def test_texts_that_give_no_pairs_are_warned_of(
    tmp_path: Path, write_documents: WriteDocuments, cli: Cli, texts: list[str], told: str | None
) -> None:
    files = FILES | {f"transcript_data/{name}": f"Said in {name} alone." for name in texts}
    done = cli("prepare", "--data", write_documents(files), "--run-dir", tmp_path / "run", *SPLIT)
    assert done.returncode == 0, done.stderr
    warnings = json.loads((tmp_path / "run/prepare/result.json").read_text(encoding="utf-8"))["warnings"]
    about = [warning for warning in warnings if "only read" in warning]
    assert about == ([f"{told}transcript_data/success/ and the recipe has no block extract"] if told else [])


def test_files_keep_the_order_of_reading(prepared: Path) -> None:
    for name in ("train.jsonl", "heldout.jsonl"):
        numbers = [int(row["id"].split("#")[1].split("/")[0]) for row in rows(prepared / name)]
        assert numbers[:-1] == sorted(numbers[:-1])  # the last is the lecture's


# Ends itself, as by `kill -9`, when all is read and nothing is written.
KILLED = """
import os, signal, sys
from tradewind.__main__ import main
from tradewind.stages import prepare
prepare.split_pairs = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main(sys.argv[1:])
"""


def test_what_a_killed_try_left_is_cleared_away(tmp_path: Path, write_documents: WriteDocuments, cli: Cli) -> None:
    settings = ("--data", str(write_documents(FILES)), "--run-dir", str(tmp_path / "run"), *SPLIT)
    killed = subprocess.run([sys.executable, "-c", KILLED, "prepare", *settings], timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "run/.prepare.work/reading/rows").stat().st_size > 0
    assert cli("prepare", "--run-dir", tmp_path / "run").returncode == 0
    published = sorted(path.name for path in (tmp_path / "run/prepare").iterdir())
    outputs = {"corpus.jsonl", "heldout.jsonl", "rejected.jsonl", "result.json", "train.jsonl", "dataset"}
    assert outputs < set(published)
    assert "reading" not in published
    assert len(rows(tmp_path / "run/prepare/train.jsonl")) == _metrics(tmp_path / "run/prepare")["train"]


PEAK = """
import resource, sys
from tradewind.__main__ import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


def _peak(folder: Path, run: Path) -> int:
    command = [sys.executable, "-c", PEAK, "prepare", "--data", str(folder), "--run-dir", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return int(done.stdout) * 1024


def test_a_record_more_takes_a_kilobyte_of_memory_at_most(tmp_path: Path, write_documents: WriteDocuments) -> None:
    texts = [
        {
            "term": f"Term {entry['term']} {number}",
            "description": f"{entry['description']} {number} " + "and so on " * 9,
        }
        for number, entry in enumerate(glossary(40_000))
    ]
    folder = write_documents({f"term_data/{at:05d}.json": texts[at : at + 2000] for at in range(0, 20_000, 2000)})
    half = _peak(folder, tmp_path / "half")
    write_documents({f"term_data/{at:05d}.json": texts[at : at + 2000] for at in range(20_000, 40_000, 2000)})
    assert _peak(folder, tmp_path / "whole") - half < 20_000 * 1024
