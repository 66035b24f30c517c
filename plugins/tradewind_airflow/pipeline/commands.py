"""What each command does."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path

from tradewind.errors import UserError
from tradewind.files import write_atomically
from tradewind.pipeline import git
from tradewind.pipeline.read import Document, parse_pipeline, read_pipeline
from tradewind.pipeline.rename import renamed
from tradewind.pipeline.templates import find, shipped_templates
from tradewind.pipeline.write import schema_text, write_new
from tradewind.yaml_file import nearest
from tradewind_airflow.pipeline.folder import files_of, pipelines_folder

_DAGS_VARIABLE = "AIRFLOW__CORE__DAGS_FOLDER"


def _templates(arguments: argparse.Namespace) -> None:
    del arguments
    for name, path in shipped_templates().items():
        print(f"{name:<12}{read_pipeline(path).pipeline.description}")


def _validate(arguments: argparse.Namespace) -> None:
    faults = []
    for name in arguments.files:
        try:
            document = _checked(read_pipeline(find(name)))
            print(f"{document.file.path}: {document.pipeline.name}, {len(document.pipeline.tasks)} tasks")
        except UserError as error:
            faults.append(str(error))
    if faults:
        raise UserError("\n".join(faults))


def _export(arguments: argparse.Namespace) -> None:
    text = _exported(arguments, arguments.dag_id, arguments.name)
    if arguments.out is None:
        sys.stdout.write(text)
        return
    write_new(arguments.out, text, replace=arguments.replace)
    print(arguments.out)


def _import(arguments: argparse.Namespace) -> None:
    document = _checked(read_pipeline(find(arguments.file)))
    text = renamed(document, arguments.name) if arguments.name else document.file.text
    _put(arguments, arguments.name or document.pipeline.name, text)


def _duplicate(arguments: argparse.Namespace) -> None:
    found = _found(arguments, arguments.source)
    if found is None:
        _put(arguments, arguments.name, _exported(arguments, arguments.source, arguments.name))
    else:
        _put(arguments, arguments.name, renamed(_checked(read_pipeline(found)), arguments.name))


def _schema(arguments: argparse.Namespace) -> None:
    if arguments.out is None:
        sys.stdout.write(schema_text())
    else:
        write_atomically(arguments.out, schema_text())


def _history(arguments: argparse.Namespace) -> None:
    file = _file(arguments)
    versions = git.history(file)
    changed = git.is_changed(file)
    for version in versions:
        note = " (and changes that are not committed)" if changed else " (now)"
        now = note if version.number == len(versions) else ""
        print(f"v{version.number:<4}{version.at}  {version.commit[:10]}  {version.author}: {version.subject}{now}")
    if git.is_shallow(file):
        print("v1 is the oldest of this shallow clone only: `git fetch --unshallow` brings those before it")


def _restore(arguments: argparse.Namespace) -> None:
    file = _file(arguments)
    version = git.find(file, arguments.version)
    # What was right then may name a task that is no more.
    _checked(parse_pipeline(git.text_of(file, version), file))
    git.restore(file, version)
    print(f"{file}: is v{version.number} ({version.commit[:10]}) again; look at it with `git diff`, then commit it")


COMMANDS: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "templates": _templates,
    "validate": _validate,
    "export": _export,
    "import": _import,
    "duplicate": _duplicate,
    "schema": _schema,
    "history": _history,
    "restore": _restore,
}
"""By name."""


def _checked(document: Document) -> Document:
    """Also what only Airflow knows: the cron, the zone, the folders that may be mounted."""
    from tradewind_airflow.pipeline.build import build_dag

    build_dag(document)
    return document


def _dags() -> Path:
    stated = os.environ.get(_DAGS_VARIABLE)
    if stated:
        return Path(stated).expanduser()
    if Path("dags").is_dir():  # a checkout
        return Path("dags")
    from airflow.configuration import conf

    return Path(conf.get_mandatory_value("core", "dags_folder"))


def _folder(arguments: argparse.Namespace) -> Path:
    return Path(arguments.folder or pipelines_folder(_dags()))


def _put(arguments: argparse.Namespace, name: str, text: str) -> None:
    path = _folder(arguments) / f"{name}.yaml"
    parse_pipeline(text, path)  # before anything goes by a name that may be none
    other = next((file for file in files_of(path.parent) if file != path and _name_in(file) == name), None)
    if other is not None or (_dags() / f"{name}.py").exists():
        raise UserError(f"'{name}' is the name of {(other or _dags() / f'{name}.py').name} already; choose another")
    write_new(path, text, replace=arguments.replace)
    print(path)


def _name_in(file: Path) -> str | None:
    try:
        return read_pipeline(file).pipeline.name
    except UserError:
        return None


def _found(arguments: argparse.Namespace, name: str) -> Path | None:
    """The file of a pipeline's name or path; None where there is none."""
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    return next((file for file in files_of(_folder(arguments)) if _name_in(file) == name), None)


def _file(arguments: argparse.Namespace) -> Path:
    found = _found(arguments, arguments.file) or _folder(arguments) / f"{arguments.file}.yaml"
    if not found.exists():
        known = [path.stem for path in files_of(_folder(arguments))]
        raise UserError(f"'{arguments.file}': no such pipeline in {_folder(arguments)}{nearest(arguments.file, known)}")
    return found


def _exported(arguments: argparse.Namespace, dag_id: str, name: str | None) -> str:
    from tradewind_airflow.pipeline.build import build_dag
    from tradewind_airflow.pipeline.export import export

    found = _found(arguments, dag_id)
    if found is not None:
        return export(build_dag(read_pipeline(found)), name)
    from airflow.dag_processing.dagbag import DagBag

    file = _dags() / f"{dag_id}.py"
    with redirect_stdout(sys.stderr):  # where Airflow says what it reads: the output is the YAML
        bag = DagBag(str(file if file.exists() else _dags()), bundle_path=_dags())
    if dag_id not in bag.dags:
        known = [*bag.dags, *(path.stem for path in files_of(_folder(arguments)))]
        why = next(iter(bag.import_errors.values()), "").strip().splitlines()
        hint = f": {why[-1]}" if why and file.exists() else nearest(dag_id, known)
        raise UserError(f"'{dag_id}': no such DAG in {_dags()}{hint}")
    return export(bag.dags[dag_id], name)
