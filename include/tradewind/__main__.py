"""The command line: `python -m tradewind <stage> --recipe tiny --data DIR --run-dir DIR`.

What stands here parses; each command is a module of `tradewind.commands`, imported when it is called.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tradewind
from tradewind.bars import BarsAsLines
from tradewind.chatter import quiet_libraries
from tradewind.shard import DIVIDED
from tradewind.stages import STAGES, WITH_TEAM

_SHARDS = {
    "extract": "do every N-th passage, from the I-th; default: all",
    "finetune": "be the I-th of N trials of a sweep, which hold out pairs to be compared by; default: none",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for a fault of input, 75 to try later, 69 for a busy GPU.

    `doctor` returns 1 where something is not as the recipe needs it.
    """
    arguments = _parser().parse_args(argv)
    # A task's log has times of its own.
    if "TRADEWIND_TASK_ID" in os.environ:
        sys.stderr = BarsAsLines(sys.stderr)
    clock = "" if "TRADEWIND_TASK_ID" in os.environ else "%(asctime)s "
    logging.basicConfig(level=logging.INFO, format=f"{clock}%(levelname)s %(message)s", stream=sys.stderr)
    quiet_libraries()
    # Threads that wait by spinning stall each other where two processes share the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code: int | None = importlib.import_module(f"tradewind.commands.{arguments.command}").run(arguments)
    except Exception as error:
        from tradewind.faults import told_to_user

        told = told_to_user(error, getattr(arguments, "run_dir", None))
        if told is None:
            raise
        print(f"tradewind: {told}", file=sys.stderr)
        return told.exit_code
    return code or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tradewind", description=tradewind.__doc__)
    parser.add_argument("--version", action="version", version=f"tradewind {tradewind.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for stage in STAGES:
        _add_stage(commands, stage)
    validate = commands.add_parser("validate", help="check recipe and documents without running anything")
    _add_settings(validate)
    validate.set_defaults(command="validate")
    doctor = commands.add_parser(
        "doctor", help="check what a run of a recipe needs of this machine, and say what to do"
    )
    _add_settings(doctor)
    doctor.add_argument("--json", action="store_true", help="print JSON in the place of a table")
    doctor.set_defaults(command="doctor")
    compare = commands.add_parser("compare", help="compare two runs' answers to the same questions")
    compare.add_argument("first", metavar="RUN", help="a run's folder")
    compare.add_argument("second", metavar="RUN", help="another's; its scores minus the first's are shown")
    compare.add_argument("--model", default="tuned", help="whose answers of each run; default: tuned")
    compare.set_defaults(command="compare")
    build = commands.add_parser("build-base", help="make the embedded Gemma-2 base model again")
    build.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    build.set_defaults(command="build_base")
    _add_models(commands)
    _add_prune(commands)
    _add_serve(commands)
    return parser


def _add_stage(commands: Any, stage: str) -> None:
    command = commands.add_parser(
        stage,
        help=f"run the stage {stage} of one run",
        description=f"Run the stage {stage}, always: only tasks of Airflow take results of earlier runs.",
    )
    _add_settings(command)
    command.add_argument("--config", type=Path, help="resolved configuration; default: RUN_DIR/config.json")
    command.add_argument("--run-dir", type=Path, required=True, help="the run's folder")
    command.add_argument("--gpu", action="append", default=[], metavar="ID", help="hold this GPU; may be repeated")
    command.add_argument("--lease-dir", type=Path, help="folder of the GPUs' lock files; needed with --gpu")
    if stage in DIVIDED:
        command.add_argument("--shard", metavar="I/N", help=_SHARDS[stage])
    if stage in WITH_TEAM:
        command.add_argument(
            "--processes", type=int, default=1, metavar="N", help="so many share the work with the model, a GPU each"
        )
        command.add_argument(
            "--ray-workers", type=int, metavar="N", help="so many of this Ray cluster share it, a GPU each"
        )
        command.add_argument("--ray-cpus", type=int, default=1, metavar="N", help="cores that each of them takes")
        command.add_argument("--ray-no-gpu", action="store_true", help="they take no GPU")
    # For supervisors: see tradewind_airflow.
    command.add_argument("--die-with-parent", type=int, metavar="PID", help=argparse.SUPPRESS)
    command.add_argument("--secrets-from-stdin", action="store_true", help=argparse.SUPPRESS)
    command.set_defaults(command="stage", stage=stage)


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--recipe", help="a shipped recipe's name or the path of a YAML file; default: tiny")
    command.add_argument("--data", help="folder of documents; default: the English samples, embedded:en")
    command.add_argument("--seed", type=int, help="default: 42")
    command.add_argument("--set", action="append", metavar="KEY=VALUE", help="override, such as split.read=0.2")


def _add_prune(commands: Any) -> None:
    prune = commands.add_parser("prune", help="remove old runs, but for those that something kept refers to")
    prune.add_argument("home", metavar="HOME", help="$TRADEWIND_HOME: a folder, or an address such as s3://bucket/home")
    prune.add_argument("--keep", type=int, required=True, metavar="N", help="how many newest runs of each DAG stay")
    prune.add_argument("--dry-run", action="store_true", help="only show what would go, and how many bytes")
    prune.add_argument("--idle-hours", type=float, default=24.0, metavar="H",
                       help="a run that was written to so lately may be under way; default: 24")  # fmt: skip
    prune.set_defaults(command="prune")


def _add_models(commands: Any) -> None:
    models = commands.add_parser("models", help="list and show registered models, move the champion's pointer")
    models.set_defaults(command="models")
    actions = models.add_subparsers(required=True, metavar="ACTION", dest="action")

    def action(name: str, text: str) -> argparse.ArgumentParser:
        found: argparse.ArgumentParser = actions.add_parser(name, help=text)
        found.add_argument("dir", metavar="DIR", help="the pipeline's models: $TRADEWIND_HOME/models/DAG_ID")
        return found

    action("list", "all versions, the champion and how it came to be")
    action("served", "which version is served where, and who was before")
    show = action("show", "one version")
    show.add_argument("name", nargs="?", metavar="NAME", help="such as v7; default: the champion")
    by_hand = action("promote", "make a version the champion")
    by_hand.add_argument("name", metavar="NAME", help="such as v7")
    by_hand.add_argument("--force", action="store_true", help="also where the gate refused it")
    back = action("rollback", "make the champion before this one the champion again")
    back.add_argument("--to", metavar="NAME", help="another version than that")
    for moving in (by_hand, back):
        moving.add_argument("--why", default="by hand", metavar="TEXT", help="for the history")


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser(
        "serve",
        help="serve a trained model behind an OpenAI-compatible address",
        description="Start a server for a model, have it answer ten held-out questions as the evaluation did, and only "
        "then let clients in and hand over the alias. It ends by SIGTERM or SIGINT.",
    )
    serve.add_argument(
        "target", metavar="TARGET", help="a run, a version, or $TRADEWIND_HOME/models/DAG_ID; a bucket's by its address"
    )
    serve.add_argument("--version", metavar="NAME", help="of models: such as v7; default: the champion")
    serve.add_argument("--name", help="what clients write as model; default: the pipeline's")
    serve.add_argument("--engine", choices=("transformers", "vllm", "nim"), help="default: transformers")
    serve.add_argument("--image", help="NIM's container image")
    serve.add_argument("--host", help="address to listen on; default: 127.0.0.1")
    serve.add_argument("--port", help="default: 8000; 0: a free one")
    serve.add_argument("--url", help="what clients call it, for the alias; default: http://HOST:PORT/v1")
    serve.add_argument(
        "--continuous-batching", action="store_true", default=None,
        help="of transformers: requests at once share each step, and all are answered greedily",
    )  # fmt: skip
    serve.add_argument("--gpu", action="append", default=[], metavar="ID", help="hold this GPU; may be repeated")
    serve.add_argument("--lease-dir", type=Path, help="folder of the GPUs' lock files; needed with --gpu")
    serve.add_argument("--timeout", metavar="SECONDS", help="to be healthy, and for each answer; default: 300")
    serve.add_argument("--stop-timeout", metavar="SECONDS", help="for requests under way at the end; default: 30")
    serve.add_argument("--min-equal", metavar="N", help="of ten answers those that must be the evaluation's")
    serve.add_argument("--follow", action="store_true", help="of models: serve whoever becomes champion")
    serve.add_argument(
        "--check", metavar="URL", help="start nothing; ask the server there, such as http://host:8000/v1"
    )
    serve.add_argument("--hand-over", action="store_true", help="with --check: give it the alias if it passes")
    serve.set_defaults(command="serve")


if __name__ == "__main__":
    sys.exit(main())
