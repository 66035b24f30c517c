"""`python -m tradewind_airflow.pipeline`: check, export, import, duplicate pipelines, and go back to earlier ones."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tradewind.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, or 2 for a fault of input."""
    arguments = _parser().parse_args(argv)
    from tradewind.faults import told_to_user
    from tradewind_airflow.pipeline.commands import COMMANDS

    try:
        COMMANDS[arguments.command](arguments)
    except (UserError, OSError) as error:
        told = told_to_user(error)
        if told is None:
            raise
        for line in str(told).splitlines():
            print(f"tradewind: {line}", file=sys.stderr)
        return told.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tradewind_airflow.pipeline", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, help="of the pipelines; default: $TRADEWIND_PIPELINES, or `pipelines` in Airflow's dags"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def command(name: str, says: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=says, description=says)

    of_one = "a pipeline's name, or the path of its file"
    command("templates", "the pipelines to start from")
    validate = command("validate", "check pipelines; say file, line and remedy of what is wrong")
    validate.add_argument("files", metavar="FILE", nargs="+", help="YAML files, or templates' names")
    export = command("export", "write any DAG of Tradewind's as YAML")
    export.add_argument("dag_id", metavar="DAG_ID", help="such as trade_qa")
    export.add_argument("--out", type=Path, help="file to write; default: standard output")
    imported = command("import", "check a file and put it into the folder that Airflow reads")
    imported.add_argument("file", metavar="FILE", help="a YAML file, or a template's name")
    duplicate = command("duplicate", "a pipeline under another name")
    duplicate.add_argument("source", metavar="PIPELINE", help="a pipeline's or a DAG's name, or the path of a file")
    duplicate.add_argument("name", metavar="NAME", help="of the new one")
    for writing in (export, imported):
        writing.add_argument("--name", help="another name for the pipeline")
    for writing in (export, imported, duplicate):
        writing.add_argument("--replace", action="store_true", help="also where there is such a file")
    command("schema", "the JSON schema for editors").add_argument("--out", type=Path, help="default: standard output")
    history = command("history", "the versions of a pipeline that git keeps")
    history.add_argument("file", metavar="PIPELINE", help=of_one)
    restore = command("restore", "make an earlier version the pipeline's file again, as a change to commit")
    restore.add_argument("file", metavar="PIPELINE", help=of_one)
    restore.add_argument("version", metavar="VERSION", help="such as v3, or the beginning of a commit")
    return parser


if __name__ == "__main__":
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")  # read as Airflow is imported: ours is the output
    sys.exit(main())
