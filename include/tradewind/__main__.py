"""The command line: `python -m tradewind <stage> --recipe tiny --data DIR --run-dir DIR`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

import tradewind
from tradewind.bars import BarsAsLines
from tradewind.config import RunConfig
from tradewind.errors import TemporaryError, UserError
from tradewind.faults import told_to_user
from tradewind.recipes import overridden, read_config, resolve
from tradewind.registry.commands import add_models
from tradewind.results import STAGES
from tradewind.run_dir import RunDir
from tradewind.shard import DIVIDED, Shard

DEFAULT_DATA = "embedded:en"
_SHARDS = {
    "extract": "do every N-th passage, from the I-th; default: all",
    "finetune": "be the I-th of N trials of a sweep, which hold out pairs to be compared by; default: none",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for a fault of input, 75 to try later, 69 for a busy GPU."""
    arguments = _parser().parse_args(argv)
    # A task's log has times of its own.
    if "TRADEWIND_TASK_ID" in os.environ:
        sys.stderr = BarsAsLines(sys.stderr)
    clock = "" if "TRADEWIND_TASK_ID" in os.environ else "%(asctime)s "
    logging.basicConfig(level=logging.INFO, format=f"{clock}%(levelname)s %(message)s", stream=sys.stderr)
    for chatty in ("sentence_transformers", "httpx", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Threads that wait by spinning stall each other where two processes share the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # What transformers and trl tell each other is not the user's to mend.
    warnings.filterwarnings("ignore", category=FutureWarning)
    try:
        arguments.command(arguments)
    except Exception as error:
        told = told_to_user(error, getattr(arguments, "run_dir", None))
        if told is None:
            raise
        print(f"tradewind: {told}", file=sys.stderr)
        return told.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tradewind", description=tradewind.__doc__)
    parser.add_argument("--version", action="version", version=f"tradewind {tradewind.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for stage in STAGES:
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
        # For supervisors: see tradewind_airflow.
        command.add_argument("--die-with-parent", type=int, metavar="PID", help=argparse.SUPPRESS)
        command.add_argument("--secrets-from-stdin", action="store_true", help=argparse.SUPPRESS)
        command.set_defaults(command=_stage, stage=stage)
    validate = commands.add_parser("validate", help="check recipe and documents without running anything")
    _add_settings(validate)
    validate.set_defaults(command=_validate)
    compare = commands.add_parser("compare", help="compare two runs' answers to the same questions")
    compare.add_argument("first", type=Path, metavar="RUN", help="a run's folder")
    compare.add_argument("second", type=Path, metavar="RUN", help="another's; its scores minus the first's are shown")
    compare.add_argument("--model", default="tuned", help="whose answers of each run; default: tuned")
    compare.set_defaults(command=_compare)
    build = commands.add_parser("build-base", help="make the embedded Gemma-2 base model again")
    build.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    build.set_defaults(command=_build_base)
    add_models(commands)
    return parser


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--recipe", help="a shipped recipe's name or the path of a YAML file; default: tiny")
    command.add_argument("--data", help=f"folder of documents; default: the English samples, {DEFAULT_DATA}")
    command.add_argument("--seed", type=int, help="default: 42")
    command.add_argument("--set", action="append", metavar="KEY=VALUE", help="override, such as split.read=0.2")


def _settings(arguments: argparse.Namespace) -> RunConfig:
    overrides = _overrides(arguments)
    if arguments.data is not None and not arguments.data.strip():
        raise UserError("--data: empty; name the folder of your documents, or leave it out for the English samples")
    data = DEFAULT_DATA if arguments.data is None else arguments.data
    return resolve(arguments.recipe or "tiny", data, 42 if arguments.seed is None else arguments.seed, overrides)


def _overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    overrides: dict[str, Any] = {}
    for assignment in arguments.set or ():
        key, separator, value = assignment.partition("=")
        if not separator:
            raise UserError(f"--set {assignment}: write KEY=VALUE, such as split.read=0.2")
        try:
            overrides[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"--set {assignment}: the value is not YAML; quote it") from error
    return overrides


def _stage(arguments: argparse.Namespace) -> None:
    from tradewind.lease import die_with_parent, gpu_leases
    from tradewind.stages.stage_run import run_stage

    if arguments.die_with_parent:
        die_with_parent(arguments.die_with_parent)
    if arguments.gpu and arguments.lease_dir is None:
        raise UserError("--gpu: needs --lease-dir, the folder of the GPUs' lock files")
    if arguments.secrets_from_stdin:
        os.environ.update(_secrets(sys.stdin.read()))
    run_dir = RunDir(arguments.run_dir)
    config = _run_settings(arguments, run_dir)
    # Nothing is fetched for a model that the package carries, also where a network is at hand.
    embedded = (config.model.model_name_or_path, config.evaluate.encoder)
    if all(name.startswith("embedded:") for name in embedded) and not config.data.datasets:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with gpu_leases(arguments.lease_dir or Path(), arguments.gpu):
        run_stage(arguments.stage, config, run_dir, Shard.parse(getattr(arguments, "shard", None) or "1/1"))


def _secrets(text: str) -> dict[str, str]:
    """Environment variables as one JSON object; nothing of a text that is not one is told."""
    if not text:
        raise TemporaryError("the secrets did not arrive: their sender ended; start again")
    try:
        return {str(name): str(value) for name, value in json.loads(text).items()}
    except (ValueError, AttributeError):
        raise UserError("--secrets-from-stdin: standard input is not a JSON object of names and values") from None


def _run_settings(arguments: argparse.Namespace, run_dir: RunDir) -> RunConfig:
    """From --config, from the options, or from the run itself; never a mixture that nobody asked for."""
    stated = [arguments.recipe, arguments.data, arguments.seed, arguments.set]
    any_stated = any(value is not None for value in stated)
    if arguments.config is not None:
        if any_stated:
            raise UserError("--config: holds the whole configuration; leave out --recipe, --data, --seed and --set")
        return read_config(arguments.config)
    if not run_dir.config_file.exists():
        return _settings(arguments)
    if not any_stated:
        return read_config(run_dir.config_file)
    if _is_trial(arguments) and stated == [None, None, None, arguments.set]:
        return overridden(read_config(run_dir.config_file), _overrides(arguments))
    if arguments.recipe is None or arguments.data is None:
        raise UserError(
            f"{run_dir.config_file}: this run has a configuration; "
            "give both --recipe and --data to replace it, or none of the options to keep it"
        )
    return _settings(arguments)


def _is_trial(arguments: argparse.Namespace) -> bool:
    """Whether the settings are those of a trial of a sweep, which leaves the run's own as they are."""
    return arguments.stage == "finetune" and arguments.shard is not None


def _validate(arguments: argparse.Namespace) -> None:
    from tradewind.dataset.survey import survey
    from tradewind.preflight import check_keys, check_recipe

    config = _settings(arguments)
    check_recipe(config)
    check_keys(config)
    print(f"valid: recipe {config.recipe}; {config.data_dir}: {survey(config)}")


def _compare(arguments: argparse.Namespace) -> None:
    from tradewind.compare_runs import compare_runs
    from tradewind.reporting.notes import many_tests, notes
    from tradewind.reporting.table import text_table

    scores = compare_runs(arguments.first, arguments.second, arguments.model)
    print(f"first:  {arguments.first}\nsecond: {arguments.second}\nmodel:  {arguments.model}\n")
    named = {"base": "first", "tuned": "second"}
    print(text_table(scores, named))
    print("", *notes(scores), many_tests(scores, named), sep="\n")
    print(f"\n{scores.verdict}, where base is the first and tuned the second: {scores.verdict_reason}")


def _build_base(arguments: argparse.Namespace) -> None:
    from tradewind.models.build import build_base

    build_base(arguments.out)


if __name__ == "__main__":
    sys.exit(main())
