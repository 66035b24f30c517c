"""`tradewind doctor`: what a run of a recipe needs of this machine, and what to do where it is not there."""

from __future__ import annotations

import argparse
import logging
import shutil

from tradewind.commands.settings import settings_of
from tradewind.doctor.checks import CHECKS
from tradewind.doctor.examine import examine, fails
from tradewind.doctor.show import as_json, as_table, last_line
from tradewind.doctor.subject import Subject


def run(arguments: argparse.Namespace) -> int:
    """Print the table, or JSON; 1 where anything fails that the recipe needs."""
    # What libraries tell of their own tries stands in the table.
    logging.disable(logging.WARNING)
    subject = Subject(settings_of(arguments))
    found = examine(subject, CHECKS)
    if arguments.json:
        print(as_json(found))
    else:
        print(as_table(found, shutil.get_terminal_size((120, 24)).columns))
        print(f"\n{last_line(found, subject.config.recipe)}")
    return int(fails(found))
