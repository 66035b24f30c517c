"""A folder of another run's, or of an earlier try's, put where a stage of this run would have published."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tradewind.errors import UserError
from tradewind.lease import placing_lock
from tradewind.registry.placing import place_tree
from tradewind.results import StageResult, read_result
from tradewind.run_dir import RunDir
from tradewind.store.mirror import complete, using

_PLACING = ".placing-"


@contextmanager
def placing(run_dir: RunDir) -> Iterator[None]:
    """Be the only one that places anything in the run; what a killed one had begun is gone."""
    run_dir.path.mkdir(parents=True, exist_ok=True)
    with placing_lock(run_dir.path):
        for leftover in run_dir.path.glob(f".*{_PLACING}*"):
            shutil.rmtree(leftover)
        yield


def place(source: Path, run_dir: RunDir, folder: str, result: StageResult) -> None:
    """Publish the files of `source` as `folder`, with `result` for their own; within `placing`.

    Files are linked where the file system allows, so that a model of gigabytes takes no time and no room.

    Raises:
        UserError: an output is missing or not as large as `result` says, there is something but files, or `source`
            was replaced since `result` was read.
        OSError: `source` is being deleted, or the disk is full.
    """
    staged = run_dir.path / f".{folder}{_PLACING}{uuid.uuid4().hex}"
    with using(source.parent):
        complete(source)
        try:
            place_tree(source, staged)
            _check(staged, source, result)
            run_dir.publish(folder, staged, result)
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def _check(staged: Path, source: Path, result: StageResult) -> None:
    """By size, since to read a model again takes as long as many a stage; `register` reads it in the end."""
    for name, artifact in result.outputs.items():
        path = staged / name
        files = [path] if path.is_file() else [inner for inner in path.rglob("*") if inner.is_file()]
        if not path.exists() or sum(inner.stat().st_size for inner in files) != artifact.bytes:
            raise UserError(f"{source / name}: is not what was published")
    # Last: a folder is replaced as a whole, so that while this is the result all that was placed is its.
    if read_result(source / "result.json").hashes != result.hashes:
        raise UserError(f"{source}: was replaced meanwhile")
