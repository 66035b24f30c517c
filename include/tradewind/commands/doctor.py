"""`tradewind doctor`: what a run of a recipe needs of this machine, and what to do where it is not there."""

from __future__ import annotations

import argparse
import logging
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.metadata import entry_points

from tradewind.commands.settings import settings_of
from tradewind.doctor.check import Check, Finding, failure
from tradewind.doctor.checks import CHECKS
from tradewind.doctor.examine import examine, fails
from tradewind.doctor.show import as_json, as_table, last_line
from tradewind.doctor.subject import Subject

ADDED = "tradewind.doctor"
"""Entry points of packages with checks of their own, such as Airflow's side: this one knows none of them by name."""


def run(arguments: argparse.Namespace) -> int:
    """Print the table, or JSON; 1 where anything fails that the recipe needs."""
    subject = Subject(settings_of(arguments))
    logged = logging.root.manager.disable
    logging.disable(logging.WARNING)  # what libraries tell of their own tries stands in the table
    try:
        found = examine(subject, [*CHECKS, *_added(CHECKS)])
    finally:
        logging.disable(logged)
    if arguments.json:
        print(as_json(found))
    else:
        print(as_table(found, shutil.get_terminal_size((120, 24)).columns))
        print(f"\n{last_line(found, subject.config.recipe)}")
    return int(fails(found))


def _added(known: Sequence[Check]) -> Iterator[Check]:
    """The checks that other packages bring; one that cannot be loaded is a check that fails."""
    names = {check.name for check in known}
    for entry in entry_points(group=ADDED):
        try:
            checks = tuple(entry.load())
        except Exception as error:  # noqa: BLE001 - a broken package must not break the others' checks
            checks = (Check(entry.name, partial(_broken, f"{type(error).__name__}: {error}")),)
        for check in checks:
            if check.name not in names:
                names.add(check.name)
                yield check


def _broken(why: str, _: Subject) -> Finding:
    return failure(f"its checks cannot be loaded: {why}", "install the package again")
