"""`tradewind prepare ...` and the other stages: run one stage of one run."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from tradewind.commands.settings import overrides_of, settings_of
from tradewind.config import RunConfig
from tradewind.errors import TemporaryError, UserError
from tradewind.lease import die_with_parent, gpu_leases
from tradewind.recipes import overridden, read_config
from tradewind.run_dir import RunDir
from tradewind.shard import Shard
from tradewind.stages.stage_run import run_stage
from tradewind.team import Team


def run(arguments: argparse.Namespace) -> None:
    """Run the stage with the run's settings, holding its GPUs."""
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
        shard = Shard.parse(getattr(arguments, "shard", None) or "1/1")
        run_stage(arguments.stage, config, run_dir, shard, _team(arguments))


def _team(arguments: argparse.Namespace) -> Team | None:
    """The processes that the stage's model is given; UserError where they and the GPUs are not as many."""
    if getattr(arguments, "ray_workers", None) is not None:
        return _ray_team(arguments)
    processes = getattr(arguments, "processes", 1)
    gpus = len(set(arguments.gpu))
    if processes < 1:
        raise UserError(f"--processes {processes}: at least one does the work; say 1 or more")
    if processes > 1 and gpus not in (0, processes):
        raise UserError(f"--processes {processes}: each takes a GPU of its own, but --gpu names {gpus}; name as many")
    if processes == 1:
        return None
    from tradewind.training.launch import local_team

    return local_team(processes, gpus)


def _ray_team(arguments: argparse.Namespace) -> Team:
    """The workers of a Ray cluster; UserError where this machine's processes or GPUs are asked for as well."""
    if arguments.ray_workers < 1 or arguments.ray_cpus < 1:
        raise UserError("--ray-workers and --ray-cpus: give whole numbers from 1")
    if arguments.processes != 1 or arguments.gpu:
        raise UserError("--ray-workers: Ray gives out processes and GPUs itself; leave out --processes and --gpu")
    from tradewind.training.ray_team import ray_team

    return ray_team(arguments.ray_workers, use_gpu=not arguments.ray_no_gpu, cpus_per_worker=arguments.ray_cpus)


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
        return settings_of(arguments)
    if not any_stated:
        return read_config(run_dir.config_file)
    if _is_trial(arguments) and stated == [None, None, None, arguments.set]:
        return overridden(read_config(run_dir.config_file), overrides_of(arguments))
    if arguments.recipe is None or arguments.data is None:
        raise UserError(
            f"{run_dir.config_file}: this run has a configuration; "
            "give both --recipe and --data to replace it, or none of the options to keep it"
        )
    return settings_of(arguments)


def _is_trial(arguments: argparse.Namespace) -> bool:
    """Whether the settings are those of a trial of a sweep, which leaves the run's own as they are."""
    return arguments.stage == "finetune" and arguments.shard is not None
