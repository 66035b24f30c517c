"""`tradewind compare`: two runs' answers to the same questions."""

from __future__ import annotations

import argparse

from tradewind.compare_runs import compare_runs
from tradewind.reporting.notes import many_tests, notes
from tradewind.reporting.table import text_table
from tradewind.store.place import place_of


def run(arguments: argparse.Namespace) -> None:
    """Print the table of scores, what to know of it, and the verdict."""
    scores = compare_runs(place_of(arguments.first), place_of(arguments.second), arguments.model)
    print(f"first:  {arguments.first}\nsecond: {arguments.second}\nmodel:  {arguments.model}\n")
    named = {"base": "first", "tuned": "second"}
    print(text_table(scores, named))
    print("", *notes(scores), many_tests(scores, named), sep="\n")
    print(f"\n{scores.verdict}, where base is the first and tuned the second: {scores.verdict_reason}")
