"""What a command's options say of a run's configuration."""

from __future__ import annotations

import argparse
from typing import Any

import yaml

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.recipes import resolve
from tradewind.sources.location import DEFAULT_DATA


def settings_of(arguments: argparse.Namespace) -> RunConfig:
    """The configuration that the options state, with the defaults for what they leave out."""
    if arguments.data is not None and not arguments.data.strip():
        raise UserError("--data: empty; name the folder of your documents, or leave it out for the English samples")
    data = DEFAULT_DATA if arguments.data is None else arguments.data
    seed = 42 if arguments.seed is None else arguments.seed
    return resolve(arguments.recipe or "tiny", data, seed, overrides_of(arguments))


def overrides_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The values of `--set`, by their dotted keys."""
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
