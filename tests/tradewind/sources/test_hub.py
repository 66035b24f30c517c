"""Hugging Face datasets of a recipe: read from disk, by what their rows hold, or told in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

from collected import Documents, read_documents
from documents import write_files
from tradewind.config import ColumnsConfig, DataConfig, DatasetConfig
from tradewind.errors import UserError

PAIRS = {"question": ["What is FOB?", "What is CIF?", ""], "answer": ["Free on board.", "Cost and more.", "x"]}
TERMS = {"Wort": ["Fracht", "Zoll"], "Text": ["Ein Preis.", "Eine Abgabe."]}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def _read(data_dir: Path, path: str | Path, **settings: Any) -> Documents:
    return read_documents(data_dir, DataConfig(datasets=(DatasetConfig(path=str(path), **settings),)))


def _answers(found: Documents) -> list[str]:
    return [record.pairs[-1].answer for record in found.records]


def test_a_dataset_saved_to_disk_gives_pairs_and_every_row_is_accounted_for(tmp_path: Path) -> None:
    datasets.Dataset.from_dict(PAIRS).save_to_disk(tmp_path / "saved")
    found = _read(tmp_path, tmp_path / "saved")
    assert _answers(found) == ["Free on board.", "Cost and more."]
    assert {record.source for record in found.records} == {"qa"}
    name = f"{tmp_path}/saved:train"
    assert [(item.file, item.place, item.reason) for item in found.rejected] == [(name, "row 3", "no question")]
    assert [(file.name, file.entries) for file in found.files] == [(name, 3)]


def test_a_path_may_be_below_the_documents_and_name_a_split(tmp_path: Path) -> None:
    parts = {"train": datasets.Dataset.from_dict(PAIRS), "test": datasets.Dataset.from_dict(PAIRS).select([1])}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "saved")
    assert _answers(_read(tmp_path, "saved", split="test")) == ["Cost and more."]
    with pytest.raises(UserError, match=r"data\.datasets\.0: .*saved: no split 'dev'; it has train, test"):
        _read(tmp_path, "saved", split="dev")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_a_folder_of_data_files_is_read_with_columns_of_its_own(tmp_path: Path, suffix: str) -> None:
    made = datasets.Dataset.from_dict(TERMS)
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / f"train.{suffix}"
    {"csv": made.to_csv, "parquet": made.to_parquet, "jsonl": made.to_json}[suffix](str(path))
    found = _read(tmp_path, "folder", columns={"term": "Wort", "description": ["Text"]})
    assert _answers(found) == ["Ein Preis.", "Eine Abgabe."]
    assert {record.source for record in found.records} == {"term"}


def test_a_trial_reads_no_more_rows_of_a_dataset(tmp_path: Path) -> None:
    """What is beyond is not fetched, so nothing is told of it."""
    datasets.Dataset.from_dict(PAIRS).save_to_disk(tmp_path / "saved")
    found = read_documents(tmp_path, DataConfig(datasets=(DatasetConfig(path="saved"),), max_records=1))
    assert _answers(found) == ["Free on board."]
    assert [file.entries for file in found.files] == [1]


def test_a_dataset_may_hold_pairs_and_terms(tmp_path: Path) -> None:
    rows = [["Q?", "A", None, ""], [None, None, "T", "D."], [None] * 4]
    columns = dict(zip(("question", "answer", "term", "description"), zip(*rows, strict=True), strict=True))
    datasets.Dataset.from_dict(columns).save_to_disk(tmp_path / "saved")
    found = _read(tmp_path, "saved")
    assert [record.source for record in found.records] == ["qa", "term"]
    (rejected,) = found.rejected
    assert rejected.place == "row 3"
    assert rejected.reason.startswith(
        "neither question and answer nor term and description: the columns are 'question'"
    )


def test_a_mapped_column_that_a_dataset_lacks_rejects_its_rows(tmp_path: Path) -> None:
    datasets.Dataset.from_dict(PAIRS).save_to_disk(tmp_path / "saved")
    write_files(tmp_path, {"term_data/a.json": [{"term": "A", "description": "Good."}]})
    found = _read(tmp_path, "saved", columns=ColumnsConfig(question=("Frage",)))
    assert {item.reason for item in found.rejected} == {
        "no question: no row has the column 'Frage'; the columns are 'question', 'answer'"
    }
    assert len(found.rejected) == 3


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"path": "nobody/such-a-dataset"}, "'nobody/such-a-dataset' cannot be read: Couldn't reach"),
        ({"path": "./absent"}, "absent: no such folder; name a folder of data files or a dataset of the hub"),
        ({"path": "/absent"}, "/absent: no such folder; "),
        ({"path": "empty"}, "'empty' cannot be read: The directory at "),
        ({"path": "folder", "split": "dev"}, "'folder' cannot be read: Bad split: dev. Available splits: ['train']"),
        ({"path": "folder", "name": "other"}, "'folder' cannot be read: BuilderConfig 'other' not found."),
        ({"path": "broken"}, "'broken' cannot be read: "),
    ],
)
def test_a_dataset_that_cannot_be_had_is_told_in_one_line(tmp_path: Path, settings: dict[str, str], told: str) -> None:
    write_files(tmp_path, {"folder/train.csv": "question,answer\nQ?,A\n", "broken/train.parquet": b"no parquet"})
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError) as raised:
        _read(tmp_path, **settings)
    message = str(raised.value)
    assert message.startswith("data.datasets.0: ")
    assert told in message
    assert "\n" not in message
