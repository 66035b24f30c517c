"""`tradewind serve`: a trained model behind an OpenAI-compatible address, once it passed its smoke test."""

from __future__ import annotations

import argparse

from pydantic import ValidationError

from tradewind.config.serve import ServeConfig
from tradewind.errors import UserError


def run(arguments: argparse.Namespace) -> None:
    """Serve until a signal comes; with `--check` ask a server that runs already."""
    from tradewind.serving.check import check
    from tradewind.serving.serve import follow, serve
    from tradewind.serving.target import find_target
    from tradewind.store.mirror import using
    from tradewind.store.place import place_of

    config = _config(arguments)
    if config.check is None and arguments.hand_over:
        raise UserError("--hand-over: is for --check; without it the server that is started gets the alias by itself")
    if arguments.follow and (arguments.version or config.check):
        raise UserError("--follow: follows the champion; leave out --version and --check")
    place = place_of(arguments.target)
    with using(place):
        if arguments.follow:
            follow(place, config, arguments.name)
            return
        target = find_target(place, arguments.version, arguments.name)
        if config.check is not None:
            check(target, config.check, config, hand_over=arguments.hand_over)
        else:
            serve(target, config)


def _config(arguments: argparse.Namespace) -> ServeConfig:
    stated = {name: getattr(arguments, name, None) for name in ServeConfig.model_fields}
    stated["gpus"] = tuple(arguments.gpu)
    stated["lease_dir"] = None if arguments.lease_dir is None else str(arguments.lease_dir)
    try:
        return ServeConfig.model_validate({name: value for name, value in stated.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"--{part}: ".replace("_", "-") for part in first["loc"][:1])
        raise UserError(f"{place}{first['msg'].removeprefix('Value error, ')}") from error
