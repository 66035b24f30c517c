"""From the rows of a table to records: the right columns, no id twice, every row accounted for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import Any

from tradewind.config import ColumnsConfig, DataConfig
from tradewind.sources.folder import files_of
from tradewind.sources.record import Item, Record, Rejected, SourceFile
from tradewind.sources.tables import csv_file, json_array, json_lines, parquet_file
from tradewind.sources.tables.row import Row, Table, cell, text_of

Convert = Callable[[Any, str, str], Record | str]
"""Makes a record of a row's value, a file's name and the row's key; or says why it cannot."""

_LISTED = 20


def read_tables(
    data_dir: Path, folder: str, noun: str, config: DataConfig, *, fields: Mapping[str, bool], convert: Convert
) -> Iterator[Item]:
    """The rows of every table in a folder of the documents.

    Args:
        noun: what the rows are, in the plural.
        fields: the fields of `ColumnsConfig` that matter, and whether a row cannot do without.
    """
    mapped = stated(config.columns)
    needed = [field for field, required in fields.items() if required or field in mapped]
    for path, name in files_of(data_dir, folder):
        yield from read_table(_table(path, name, noun, config.max_line_bytes), noun, config.columns, needed, convert)


def read_table(
    table: Table, noun: str, columns: ColumnsConfig, needed: Sequence[str], convert: Convert
) -> Iterator[Item]:
    """Every row of a table, made a record or rejected; all of them are where no row has a needed column."""
    rows = table.rows()
    head = list(islice(rows, 1))
    lack = _lack(table, columns, needed) if _absent(head, columns, needed) else None
    first_with: dict[bytes, str] = {}
    entries = 0
    for row in chain(head, rows):
        entries += 1
        made = row.fault or lack or convert(row.value, table.name, row.key)
        if isinstance(made, Record):
            made = _second(row, table, columns, first_with) or made
        yield made if isinstance(made, Record) else Rejected.of(table.name, table.place(row.key), made, row.value)
    if not entries:
        yield Rejected.of(table.name, "top level", f"no {noun}", "")
    yield SourceFile(table.name, entries or 1)


def stated(columns: ColumnsConfig) -> list[str]:
    """The fields that a recipe maps to columns."""
    default = ColumnsConfig()
    fields = type(columns).model_fields
    return [field for field in fields if getattr(columns, field) and getattr(columns, field) != getattr(default, field)]


def _table(path: Path, name: str, noun: str, limit: int) -> Table:
    match path.suffix.lower():
        case ".json":
            return Table(name, "entry", partial(json_array.rows, path, limit, noun))
        case ".jsonl":
            return Table(name, "line", partial(json_lines.rows, path, limit))
        case ".parquet":
            return Table(name, "row", partial(parquet_file.rows, path))
        case _:
            return Table(name, "line", partial(csv_file.rows, path, limit))


def _lack(table: Table, columns: ColumnsConfig, needed: Sequence[str]) -> str | None:
    """Which needed column no row has."""
    absent = needed
    seen: dict[str, None] = {}
    for row in table.rows():
        absent = _absent([row], columns, absent)
        if not absent:
            return None
        if row.fault is None and isinstance(row.value, Mapping) and len(seen) < _LISTED:
            seen |= dict.fromkeys(row.value)
    if not seen:
        return None
    wanted = " or ".join(f"'{name}'" for name in getattr(columns, absent[0]))
    there = ", ".join(f"'{name}'" for name in list(seen)[:_LISTED])
    return f"no {absent[0]}: no row has the column {wanted}; the columns are {there}"


def _absent(rows: Sequence[Row], columns: ColumnsConfig, needed: Sequence[str]) -> Sequence[str]:
    """The needed fields whose columns none of the rows has."""
    values = [row.value for row in rows if row.fault is None and isinstance(row.value, Mapping)]
    return [field for field in needed if all(value.keys().isdisjoint(getattr(columns, field)) for value in values)]


def _second(row: Row, table: Table, columns: ColumnsConfig, first_with: dict[bytes, str]) -> str | None:
    """The reason against a row whose id an earlier one has; digests, as ids of a million rows are many bytes."""
    if not columns.id or not (own := text_of(cell(row.value, columns.id))):
        return None
    digest = blake2b(own.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    first = first_with.setdefault(digest, row.key)
    return None if first == row.key else f"duplicate id '{own}' of {table.place(first)}"
