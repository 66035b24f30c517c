"""`data.datasets`: Hugging Face datasets of question/answer pairs or of terms, streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

from tradewind.config import DataConfig, DatasetConfig
from tradewind.errors import UserError
from tradewind.files import path_of
from tradewind.sources import glossary, qa
from tradewind.sources.record import Item, Record
from tradewind.sources.tables.reading import read_table, stated
from tradewind.sources.tables.row import Row, Table, cell

_SAVED = ("dataset_info.json", "dataset_dict.json")  # what `save_to_disk` leaves


def read(data_dir: Path, config: DataConfig) -> Iterator[Item]:
    """Every row of every dataset: a pair where it has a question or an answer, else a term.

    With `max_records` so many rows of each: what follows is not fetched for a trial, and so not counted either.

    Raises:
        UserError: a dataset is not there (or not cached, where the hub may not be asked), cannot be
            read, or `datasets` is not installed; one line that names the setting.
    """
    for index, dataset in enumerate(config.datasets):
        setting = f"data.datasets.{index}"
        columns = dataset.columns or config.columns
        name = ":".join(filter(None, (dataset.path, dataset.name, dataset.split)))
        table = Table(name, "row", partial(_rows, data_dir, dataset, setting, config.max_records))
        convert = partial(_record, config=config.model_copy(update={"columns": columns}))
        yield from read_table(table, "rows", columns, stated(columns) if dataset.columns else [], convert)


def folder_of(data_dir: Path, dataset: DatasetConfig) -> Path:
    """Where a dataset stands if it is a folder; a dataset of the hub has nothing there."""
    return data_dir / path_of(dataset.path)


def _record(row: Any, file: str, key: str, config: DataConfig) -> Record | str:
    columns = config.columns
    if _holds(row, columns.question + columns.answer):
        return qa.pair_of(row, file, key, columns)
    if _holds(row, columns.term + columns.description):
        return glossary.term_of(row, file, key, config)
    there = ", ".join(f"'{name}'" for name in row)
    return f"neither question and answer nor term and description: the columns are {there}"


def _holds(row: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    return cell(row, names) is not None


def _rows(data_dir: Path, dataset: DatasetConfig, setting: str, most: int | None) -> Iterator[Row]:
    try:
        import datasets
        from pyarrow import ArrowException
    except ImportError as error:
        raise UserError(f"{setting}: needs the package datasets; pip install 'tradewind[train]'") from error
    faults = (OSError, ValueError, RuntimeError, KeyError, ArrowException, datasets.exceptions.DatasetsError)
    numbers = count(1)
    try:
        for row in islice(_open(data_dir, dataset, setting), most):
            yield Row(str(next(numbers)), row)
    except faults as error:
        told = " ".join(str(error).split())
        raise UserError(f"{setting}: '{dataset.path}' cannot be read: {told}; check path, name and split") from error


def _open(data_dir: Path, dataset: DatasetConfig, setting: str) -> Any:
    """Something to iterate over, row by row, of which no more than a few rows are held."""
    import datasets

    folder = folder_of(data_dir, dataset)
    if not folder.is_dir():
        if dataset.path.startswith(("/", ".", "~")):
            raise UserError(f"{setting}: {folder}: no such folder; name a folder of data files or a dataset of the hub")
        return datasets.load_dataset(
            dataset.path, dataset.name, split=dataset.split, revision=dataset.revision, streaming=True
        )
    if not any((folder / mark).is_file() for mark in _SAVED):
        return datasets.load_dataset(str(folder), dataset.name, split=dataset.split, streaming=True)
    saved = datasets.load_from_disk(str(folder))
    if not isinstance(saved, datasets.DatasetDict):
        return saved
    if dataset.split not in saved:
        raise UserError(f"{setting}: {folder}: no split '{dataset.split}'; it has {', '.join(saved)}")
    return saved[dataset.split]
