"""The pairs as conversations and as a `datasets` folder."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from documents import rows as read_rows
from prepared_rows import Rows, prepared_rows, row, write_rows
from tradewind.dataset.files import METADATA, write_dataset_files

RIGHT_TO_LEFT = "ما هو خطاب الاعتماد؟ 🚢"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_each_use_has_a_file_of_conversations_in_trl_s_form(tmp_path: Path, out: Path) -> None:
    from trl.data_utils import is_conversational

    rows = prepared_rows()
    rows["train.jsonl"].append(row("LC", 1, RIGHT_TO_LEFT, "A letter of credit."))
    written = write_dataset_files(write_rows(tmp_path / "prepare", rows), out)
    assert written == [f"{use}.conversational.jsonl" for use in ("train", "reworded", "read", "unseen")] + ["dataset"]
    assert sorted(path.name for path in out.iterdir()) == sorted(written)
    trained = read_rows(out / "train.conversational.jsonl")
    assert trained[0] == {
        "prompt": [{"role": "user", "content": "What is FOB?"}],
        "completion": [{"role": "assistant", "content": "Free on board."}],
    }
    assert trained[2]["prompt"][0]["content"] == RIGHT_TO_LEFT
    assert is_conversational(trained[0])
    unseen = read_rows(out / "unseen.conversational.jsonl")
    assert [turns["completion"][0]["content"] for turns in unseen] == ["Ex works.", "EXW"]


def test_the_folder_loads_as_a_dataset_dict_with_the_metadata_of_each_pair(tmp_path: Path, out: Path) -> None:
    from datasets import load_from_disk

    rows = prepared_rows()
    write_dataset_files(write_rows(tmp_path / "prepare", rows), out)
    loaded = load_from_disk(str(out / "dataset"))
    assert {use: len(split) for use, split in loaded.items()} == {"train": 2, "reworded": 1, "read": 1, "unseen": 2}
    first = rows["train.jsonl"][0]
    assert loaded["train"][0] == {name: first[name] for name in METADATA} | {
        "prompt": [{"role": "user", "content": first["question"]}],
        "completion": [{"role": "assistant", "content": first["answer"]}],
    }


def test_a_kind_without_pairs_is_an_empty_split_and_no_file(tmp_path: Path, out: Path) -> None:
    from datasets import load_from_disk

    rows = prepared_rows()
    rows["heldout.jsonl"] = [pair for pair in rows["heldout.jsonl"] if pair["kind"] != "read"]
    assert "read.conversational.jsonl" not in write_dataset_files(write_rows(tmp_path / "prepare", rows), out)
    loaded = load_from_disk(str(out / "dataset"))
    assert len(loaded["read"]) == 0
    assert loaded["read"].features == loaded["train"].features


def test_the_same_pairs_give_the_same_bytes(tmp_path: Path) -> None:
    prepare = write_rows(tmp_path / "prepare", prepared_rows())
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write_dataset_files(prepare, tmp_path / name)
    assert _hashes(tmp_path / "one") == _hashes(tmp_path / "other")


_WRITE_MANY = """
import sys
from pathlib import Path
from tradewind.dataset.files import write_dataset_files
write_dataset_files(Path(sys.argv[1]), Path(sys.argv[2]))
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def _peak_kilobytes(tmp_path: Path, pairs: int) -> int:
    rows: Rows = prepared_rows()
    rows["train.jsonl"] = [row(f"r{n}", 1, f"What is thing {n}?", "An answer. " * 40) for n in range(pairs)]
    prepare, out, home = (tmp_path / f"{name}-{pairs}" for name in ("prepare", "out", "home"))
    write_rows(prepare, rows)
    out.mkdir()
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _WRITE_MANY, str(prepare), str(out)],
        env={name: value for name, value in os.environ.items() if not name.startswith("HF_")} | {"HOME": str(home)},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert list(home.rglob("*")) == [], "something was left behind under the home folder"
    with (out / "train.conversational.jsonl").open(encoding="utf-8") as file:
        assert sum(1 for line in file if json.loads(line)) == pairs
    return int(done.stdout)


def test_memory_does_not_grow_with_the_pairs_and_no_cache_is_left_under_home(tmp_path: Path) -> None:
    few, many = _peak_kilobytes(tmp_path, 2_000), _peak_kilobytes(tmp_path, 40_000)
    size = (tmp_path / "prepare-40000" / "train.jsonl").stat().st_size / 1024
    assert size > 25_000
    assert many - few < 0.5 * size, (few, many)
