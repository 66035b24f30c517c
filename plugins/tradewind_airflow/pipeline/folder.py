"""Every pipeline of a folder as a DAG; one that is broken takes none of the others with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_parsing_context

from tradewind.errors import UserError
from tradewind.files import path_of
from tradewind.pipeline.read import Document, read_pipeline

FOLDER_VARIABLE = "TRADEWIND_PIPELINES"
DEFAULT_FOLDER = "pipelines"
_ENDINGS = (".yaml", ".yml")


def pipelines_folder(dags: Path) -> Path:
    """`$TRADEWIND_PIPELINES`, or `pipelines` in the folder of DAG files."""
    stated = os.environ.get(FOLDER_VARIABLE)
    return path_of(stated) if stated else dags / DEFAULT_FOLDER


def files_of(folder: Path) -> list[Path]:
    """The YAML files in it, by name; hidden ones are an editor's or another system's.

    Raises:
        UserError: it cannot be looked into.
    """
    try:
        there = list(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}; check its rights, and {FOLDER_VARIABLE}") from error
    return sorted(path for path in there if path.suffix in _ENDINGS and not path.name.startswith("."))


def dags_of(dag_file: str) -> dict[str, DAG]:
    """The DAGs of all pipelines that can be built, as names of the DAG file that asks; a task gets its own only."""
    from tradewind_airflow.pipeline.build import build_dag

    only = get_parsing_context().dag_id
    found: dict[str, DAG] = {}
    for document in _read(Path(dag_file).parent, only)[0]:
        if only not in (None, document.pipeline.name):
            continue
        try:
            dag = build_dag(document)
        except UserError:
            continue  # `check_all` tells it
        found[f"dag {dag.dag_id}"] = dag  # no name that a module has of its own
    return found


def check_all(dag_file: str) -> None:
    """UserError with a line for each pipeline of the folder that cannot be built."""
    from tradewind_airflow.pipeline.build import build_dag

    if get_parsing_context().dag_id is not None:
        return
    documents, faults = _read(Path(dag_file).parent)
    for document in documents:
        try:
            build_dag(document)
        except UserError as error:
            faults.append(str(error))
    if faults:
        raise UserError("\n".join(faults))


def _read(dags: Path, only: str | None = None) -> tuple[list[Document], list[str]]:
    """The pipelines by their files' names, each DAG's id once, and what is wrong with the others.

    Args:
        only: the one that is wanted, so that a task's start does not wait for all the others.
    """
    folder = pipelines_folder(dags)
    documents: list[Document] = []
    faults: list[str] = []
    # Airflow keeps one DAG of a name, whichever file it read last.
    taken: dict[str, Any] = {path.stem: path.name for path in dags.glob("*.py")}
    for path in files_of(folder):
        if only is not None and not _may_be(path, only):
            continue
        try:
            document = read_pipeline(path)
            name = document.pipeline.name
            if name in taken:
                raise document.file.fault(("name",), f"'{name}' is the name of {taken[name]} too; choose another")
        except UserError as error:
            faults.append(str(error))
        else:
            taken[name] = path.name
            documents.append(document)
    return documents, faults


def _may_be(path: Path, name: str) -> bool:
    """Whether a file may hold the pipeline of this name: its letters stand in it, or are written by escapes."""
    try:
        text = path.read_bytes()
        return name.encode() in text or b"\\" in text
    except OSError:
        return False
