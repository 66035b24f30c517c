"""`tradewind validate`: check recipe and documents without running anything."""

from __future__ import annotations

import argparse

from tradewind.commands.settings import settings_of
from tradewind.dataset.survey import survey
from tradewind.preflight import check_keys, check_recipe


def run(arguments: argparse.Namespace) -> None:
    """Print what a run would be given, in a few lines."""
    config = settings_of(arguments)
    check_recipe(config)
    check_keys(config)
    print(f"valid: recipe {config.recipe}; {config.data_dir}: {survey(config)}")
