"""A Parquet file, read by record batches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from tradewind.errors import UserError
from tradewind.sources.tables.row import Row

_BATCH = 1024


def rows(path: Path) -> Iterator[Row]:
    """Every row, numbered from 1.

    Raises:
        UserError: the file is not Parquet, or pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise UserError(f"{path}: Parquet needs pyarrow; pip install 'tradewind[train]'") from error
    numbers = count(1)
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    yield Row(str(next(numbers)), row)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not Parquet ({str(error).splitlines()[0]}); mend or remove the file") from error
