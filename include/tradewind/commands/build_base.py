"""`tradewind build-base`: make the embedded Gemma-2 base model again."""

from __future__ import annotations

import argparse

from tradewind.models.build import build_base


def run(arguments: argparse.Namespace) -> None:
    """Write the model to `--out`."""
    build_base(arguments.out)
